use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use crate::otlp::json::{Object, any, string, text_of, value_of};

/// What a resource says about each of its spans, written once.
#[derive(Debug, Default)]
pub(super) struct ResourceFacts<'r> {
    pub(super) service_name: Option<&'r str>,
    pub(super) origin: Option<&'static str>,
    pub(super) language: Option<&'r str>,
    /// The `aws` block of segments, an object.
    pub(super) aws: String,
    /// The `service` block of segments, an object, empty where there is no version.
    pub(super) service: String,
    /// Members of `metadata.default`, each after a comma.
    pub(super) metadata: String,
}

impl<'r> ResourceFacts<'r> {
    /// Reads a resource.
    ///
    /// Source: the awsxray exporter, `aws.go` and `segment.go`.
    pub(super) fn of(attributes: &'r [KeyValue]) -> Self {
        let text =
            |key: &str| attributes.iter().find(|attribute| attribute.key == key).and_then(text_of);
        let mut facts = Self {
            service_name: text("service.name"),
            origin: origin(text("cloud.platform"), text("aws.ecs.launchtype")),
            language: text("telemetry.sdk.language"),
            ..Self::default()
        };
        let mut aws = Object::begin(&mut facts.aws);
        write_aws(&mut aws, &text);
        aws.end();
        if let Some(version) = text("service.version") {
            let mut service = Object::begin(&mut facts.service);
            service.text("version", version);
            service.end();
        }
        for attribute in attributes {
            if let Some(value) = value_of(attribute) {
                facts.metadata.push(',');
                string(&mut facts.metadata, &format!("otel.resource.{}", attribute.key));
                facts.metadata.push(':');
                any(&mut facts.metadata, value, 0);
            }
        }
        facts
    }
}

fn origin(platform: Option<&str>, launch: Option<&str>) -> Option<&'static str> {
    Some(match (platform?, launch) {
        ("aws_ec2", _) => "AWS::EC2::Instance",
        ("aws_ecs", Some(launch)) if launch.eq_ignore_ascii_case("fargate") => "AWS::ECS::Fargate",
        ("aws_ecs", Some(launch)) if launch.eq_ignore_ascii_case("ec2") => "AWS::ECS::EC2",
        ("aws_ecs", _) => "AWS::ECS::Container",
        ("aws_elastic_beanstalk", _) => "AWS::ElasticBeanstalk::Environment",
        ("aws_eks", _) => "AWS::EKS::Container",
        ("aws_app_runner", _) => "AWS::AppRunner::Service",
        ("aws_lambda", _) => "AWS::Lambda::Function",
        _ => return None,
    })
}

fn write_aws<'r>(aws: &mut Object<'_>, text: &dyn Fn(&str) -> Option<&'r str>) {
    aws.optional("account_id", text("cloud.account.id"));
    aws.object("xray", |xray| {
        let name = text("telemetry.sdk.name").unwrap_or("opentelemetry");
        let language = text("telemetry.sdk.language");
        let sdk = language.map_or_else(|| name.to_owned(), |l| format!("{name} for {l}"));
        xray.text("sdk", &sdk);
        xray.optional("sdk_version", text("telemetry.sdk.version"));
        let distribution = text("telemetry.distro.version").or(text("telemetry.auto.version"));
        xray.flag("auto_instrumentation", distribution.is_some());
    });
    aws.filled("ec2", |ec2| {
        if text("cloud.platform") == Some("aws_ec2") {
            ec2.optional("instance_id", text("host.id"));
            ec2.optional("instance_size", text("host.type"));
            ec2.optional("ami_id", text("host.image.id"));
            ec2.optional("availability_zone", text("cloud.availability_zone"));
        }
    });
    aws.filled("ecs", |ecs| {
        if text("cloud.platform") == Some("aws_ecs") {
            ecs.optional("container", text("container.name"));
            ecs.optional("container_id", text("container.id"));
            ecs.optional("task_arn", text("aws.ecs.task.arn"));
            ecs.optional("cluster_arn", text("aws.ecs.cluster.arn"));
        }
    });
    aws.filled("eks", |eks| {
        eks.optional("cluster_name", text("k8s.cluster.name"));
        eks.optional("pod", text("k8s.pod.name"));
        if text("k8s.cluster.name").is_some() {
            eks.optional("container_id", text("container.id"));
        }
    });
    let groups = text("aws.log.group.names").into_iter().flat_map(|names| names.split('&'));
    let groups: Vec<&str> = groups.filter(|name| !name.is_empty()).collect();
    if !groups.is_empty() {
        aws.list("cloudwatch_logs", groups, |out, group| {
            let mut object = Object::begin(out);
            object.text("log_group", group);
            object.end();
        });
    }
}

/// What a span's attributes say; the rest are annotations and metadata.
#[derive(Debug, Default)]
pub(super) struct SpanFacts<'s> {
    pub(super) local_service: Option<&'s str>,
    pub(super) remote_service: Option<&'s str>,
    pub(super) peer_service: Option<&'s str>,
    pub(super) aws_service: Option<&'s str>,
    pub(super) span_kind: Option<&'s str>,
    pub(super) rpc_system: Option<&'s str>,
    pub(super) rpc_service: Option<&'s str>,
    pub(super) operation: Option<&'s str>,
    pub(super) region: Option<&'s str>,
    pub(super) request_id: Option<&'s str>,
    pub(super) queue_url: Option<&'s str>,
    pub(super) table_name: Option<&'s str>,
    pub(super) bucket_name: Option<&'s str>,
    pub(super) topic_arn: Option<&'s str>,
    pub(super) db_system: Option<&'s str>,
    pub(super) db_name: Option<&'s str>,
    pub(super) db_user: Option<&'s str>,
    pub(super) db_statement: Option<&'s str>,
    pub(super) db_connection: Option<&'s str>,
    pub(super) http_method: Option<&'s str>,
    pub(super) http_url: Option<&'s str>,
    pub(super) http_scheme: Option<&'s str>,
    pub(super) http_host: Option<&'s str>,
    pub(super) http_target: Option<&'s str>,
    pub(super) user_agent: Option<&'s str>,
    pub(super) client_ip: Option<&'s str>,
    pub(super) peer_ip: Option<&'s str>,
    pub(super) server_address: Option<&'s str>,
    pub(super) server_port: Option<i64>,
    pub(super) http_status: Option<i64>,
    pub(super) content_length: Option<i64>,
    pub(super) user: Option<&'s str>,
    pub(super) listed: Option<&'s Value>,
    pub(super) others: Vec<(&'s str, &'s Value)>,
}

impl<'s> SpanFacts<'s> {
    /// Sorts the attributes of a span.
    pub(super) fn of(attributes: &'s [KeyValue]) -> Self {
        let mut facts = Self { others: Vec::with_capacity(attributes.len()), ..Self::default() };
        for attribute in attributes {
            let Some(value) = value_of(attribute) else { continue };
            let is_known = match value {
                Value::StringValue(text) => facts.text(&attribute.key, text),
                Value::IntValue(number) => facts.number(&attribute.key, *number),
                Value::ArrayValue(list) => facts.list(&attribute.key, value, list.values.first()),
                _ => false,
            };
            if !is_known {
                facts.others.push((&attribute.key, value));
            }
        }
        facts
    }

    fn text(&mut self, key: &str, text: &'s str) -> bool {
        let place = match key {
            "aws.local.service" => &mut self.local_service,
            "aws.remote.service" => &mut self.remote_service,
            "peer.service" => &mut self.peer_service,
            "aws.service" => &mut self.aws_service,
            "aws.span.kind" => &mut self.span_kind,
            "rpc.system" => &mut self.rpc_system,
            "rpc.service" => &mut self.rpc_service,
            "rpc.method" | "aws.operation" => &mut self.operation,
            "aws.region" => &mut self.region,
            "aws.request_id" | "aws.requestId" => &mut self.request_id,
            "aws.queue.url" | "aws.queue_url" | "aws.sqs.queue.url" => &mut self.queue_url,
            "aws.table.name" | "aws.table_name" => &mut self.table_name,
            "aws.bucket.name" | "aws.s3.bucket" => &mut self.bucket_name,
            "aws.sns.topic.arn" => &mut self.topic_arn,
            "db.system" | "db.system.name" => &mut self.db_system,
            "db.name" | "db.namespace" => &mut self.db_name,
            "db.user" => &mut self.db_user,
            "db.statement" | "db.query.text" => &mut self.db_statement,
            "db.connection_string" => &mut self.db_connection,
            "http.method" | "http.request.method" => &mut self.http_method,
            "http.url" | "url.full" => &mut self.http_url,
            "http.scheme" | "url.scheme" => &mut self.http_scheme,
            "http.host" => &mut self.http_host,
            "http.target" | "url.path" => &mut self.http_target,
            "http.user_agent" | "user_agent.original" => &mut self.user_agent,
            "http.client_ip" | "client.address" => &mut self.client_ip,
            "net.peer.ip" | "net.sock.peer.addr" | "network.peer.address" => &mut self.peer_ip,
            "net.peer.name" | "server.address" => &mut self.server_address,
            "enduser.id" => &mut self.user,
            _ => return false,
        };
        *place = Some(text);
        true
    }

    fn number(&mut self, key: &str, number: i64) -> bool {
        let place = match key {
            "http.status_code" | "http.response.status_code" => &mut self.http_status,
            "http.response_content_length" | "http.response.body.size" => &mut self.content_length,
            "net.peer.port" | "server.port" => &mut self.server_port,
            _ => return false,
        };
        *place = Some(number);
        true
    }

    fn list(
        &mut self,
        key: &str,
        whole: &'s Value,
        first: Option<&'s opentelemetry_proto::tonic::common::v1::AnyValue>,
    ) -> bool {
        match (key, first.and_then(|first| first.value.as_ref())) {
            ("aws.xray.annotations", _) => self.listed = Some(whole),
            ("aws.dynamodb.table_names" | "aws.table.names", Some(Value::StringValue(name))) => {
                self.table_name = Some(name);
            }
            _ => return false,
        }
        true
    }

    /// A call to an AWS service.
    pub(super) fn is_aws(&self) -> bool {
        self.rpc_system == Some("aws-api") || self.aws_service.is_some()
    }

    /// A call to a database that speaks SQL.
    pub(super) fn is_sql(&self) -> bool {
        const SYSTEMS: [&str; 14] = [
            "other_sql",
            "mssql",
            "mysql",
            "oracle",
            "db2",
            "postgresql",
            "redshift",
            "hive",
            "mariadb",
            "sqlite",
            "cockroachdb",
            "h2",
            "snowflake",
            "clickhouse",
        ];
        self.db_system.is_some_and(|system| SYSTEMS.contains(&system))
    }
}
