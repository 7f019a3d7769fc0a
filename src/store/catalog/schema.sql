create table if not exists progress (name text primary key, value integer not null) without rowid;

create table if not exists resource (
  account text not null, region text not null, kind text not null, name text not null,
  sort text not null, version integer not null, body text not null,
  checksum integer not null);
create unique index if not exists resource_key
  on resource (account, region, kind, name, sort);
create index if not exists resource_kind on resource (kind);

create table if not exists log_group (
  id integer primary key, account text not null, region text not null, name text not null,
  created integer not null, retention_days integer, horizon integer not null);
create table if not exists log_stream (
  id integer primary key, log_group integer not null, name text not null,
  created integer not null, first_event integer, last_event integer, last_ingestion integer);
create index if not exists log_stream_group on log_stream (log_group);

create table if not exists metric (
  number integer primary key, account text not null, region text not null,
  namespace text not null, metric_name text not null, dimensions text not null,
  last_data integer not null, last_received integer not null);
-- Of format 1: metrics that have no number yet.
create table if not exists series (
  account text not null, region text not null, namespace text not null, metric_name text not null,
  dimensions text not null, last_data integer not null, last_received integer not null,
  primary key (account, region, namespace, metric_name, dimensions)) without rowid;

create table if not exists batch (
  account text not null, region text not null, id blob not null, lsn integer not null,
  received integer not null, primary key (account, region, id)) without rowid;
create index if not exists batch_received on batch (received);

create table if not exists segment (
  path text primary key, tbl text not null, level integer not null,
  t_lo integer not null, t_hi integer not null, rows integer not null, bytes integer not null,
  raw_bytes integer not null, created integer not null, footer blob not null,
  parts blob not null) without rowid;
create table if not exists tombstone (
  path text primary key, after integer not null) without rowid;
