//! Bodies of HTTP requests.

use std::path::Path;

use bytes::Bytes;

use super::rendering::Rendering;
use crate::canary::action::{HttpBody, MultipartContent, MultipartField};
use crate::canary::report::{Failure, Verdict};
use crate::canary::template::Text;
use crate::runner::fault;
use crate::runner::files;

/// Where a body's files may come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSource<'a> {
    pub(super) folder: &'a Path,
    pub(super) bytes_max: u64,
}

/// A body and the content type that goes with it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) media_type: Option<String>,
}

impl Content {
    fn new(bytes: impl Into<Bytes>, media_type: impl Into<String>) -> Self {
        Self { bytes: bytes.into(), media_type: Some(media_type.into()) }
    }
}

/// Renders a body.
pub(super) async fn content(
    body: &HttpBody,
    rendering: &mut Rendering<'_>,
    source: FileSource<'_>,
) -> Result<Content, Box<Failure>> {
    match body {
        HttpBody::Empty => Ok(Content { bytes: Bytes::new(), media_type: None }),
        HttpBody::Text(text) => Ok(Content::new(rendering.plain(text)?, "text/plain")),
        HttpBody::Json(value) => {
            Ok(Content::new(rendering.value(value)?.to_string(), "application/json"))
        }
        HttpBody::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, text) in fields {
                form.append_pair(name, &rendering.plain(text)?);
            }
            Ok(Content::new(form.finish(), "application/x-www-form-urlencoded"))
        }
        HttpBody::File(path) => {
            let (bytes, _) = file(path, rendering, source).await?;
            Ok(Content::new(bytes, "application/octet-stream"))
        }
        HttpBody::Multipart(fields) => multipart(fields, rendering, source).await,
    }
}

/// Reads a file that the canary names, inside its folder.
pub(super) async fn file(
    path: &Text,
    rendering: &mut Rendering<'_>,
    source: FileSource<'_>,
) -> Result<(Bytes, String), Box<Failure>> {
    let name = rendering.plain(path)?;
    let read = files::read_inside(source.folder, Path::new(&name), source.bytes_max).await;
    let bytes = read.map_err(|error| {
        let verdict = if error.is_policy() { Verdict::Policy } else { Verdict::Canary };
        let mut message = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            message = format!("{message}: {cause}");
        }
        let mut failure = fault::failure(verdict, message);
        failure.location = Some(rendering.step.locate(path.span()));
        Box::new(failure)
    })?;
    Ok((bytes, name))
}

/// A multipart form.
///
/// Source: RFC 7578; names are escaped as the WHATWG form algorithm does.
async fn multipart(
    fields: &[MultipartField],
    rendering: &mut Rendering<'_>,
    source: FileSource<'_>,
) -> Result<Content, Box<Failure>> {
    let boundary = format!("coalmine-{:032x}", fastrand::u128(..));
    let mut form = Vec::new();
    for field in fields {
        let name = escaped(&field.name);
        let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"");
        form.extend_from_slice(head.as_bytes());
        match &field.content {
            MultipartContent::Text(text) => {
                form.extend_from_slice(b"\r\n\r\n");
                form.extend_from_slice(rendering.plain(text)?.as_bytes());
            }
            MultipartContent::File(path) => {
                let (bytes, path) = file(path, rendering, source).await?;
                let base = Path::new(&path).file_name().map(|name| name.to_string_lossy());
                let base = escaped(&base.unwrap_or_default());
                let rest =
                    format!("; filename=\"{base}\"\r\ncontent-type: application/octet-stream");
                form.extend_from_slice(rest.as_bytes());
                form.extend_from_slice(b"\r\n\r\n");
                form.extend_from_slice(&bytes);
            }
        }
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Content::new(form, format!("multipart/form-data; boundary={boundary}")))
}

fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
