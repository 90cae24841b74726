#include "kv/postgres/postgres_url.h"

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <optional>

namespace weir::kv {
namespace {

constexpr const char* kForm =
    "postgres://user@host:port/database?schema=name, with special characters of a password percent-encoded";
constexpr std::string_view kSchemaParameter = "schema=";
constexpr const char* kDefaultSchema = "weir";
constexpr size_t kSchemaBytes = 63;

/// Takes `schema=…` out of the URL's parameters.
std::optional<std::string> extract_schema(std::string& url) {
  const size_t question = url.find('?');
  if (question == std::string::npos) return std::nullopt;
  std::optional<std::string> schema;
  std::string kept;
  for (size_t begin = question + 1; begin <= url.size();) {
    const size_t end = std::min(url.find('&', begin), url.size());
    const std::string parameter = url.substr(begin, end - begin);
    if (parameter.starts_with(kSchemaParameter))
      schema = parameter.substr(kSchemaParameter.size());
    else if (!parameter.empty())
      kept += (kept.empty() ? "?" : "&") + parameter;
    begin = end + 1;
  }
  url = url.substr(0, question) + kept;
  return schema;
}

Status check_schema(const std::string& schema) {
  const bool named = !schema.empty() && schema.size() <= kSchemaBytes && !schema.starts_with("pg_") &&
                     schema.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
                     (schema[0] < '0' || schema[0] > '9');
  if (named) return {};
  return error(Code::kInvalid, "\"{}\" cannot be the schema of a volume: use up to {} of a-z, 0-9 and _", schema,
               kSchemaBytes);
}

/// The parts as libpq reads them; nothing when it cannot.
std::optional<std::map<std::string, std::string>> parts_of(const std::string& url) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(url.c_str(), &message),
                                                                       &PQconninfoFree);
  PQfreemem(message);
  if (!options) return std::nullopt;
  std::map<std::string, std::string> parts;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parts[option->keyword] = option->val;
  }
  return parts;
}

/// A bare / or @ in a password ends the user's part early: what follows would be taken for host or database, and shown.
bool password_spills(const std::string& url) {
  const size_t authority = url.find("://") + 3;
  const size_t query = std::min(url.find('?', authority), url.size());
  const size_t slash = std::min(url.find('/', authority), query);
  const size_t at = url.find('@', authority);
  return at < query && (at > slash || url.find('@', at + 1) < query);
}

}  // namespace

Result<PostgresUrl> parse_postgres_url(const std::string& url) {
  PostgresUrl parsed;
  parsed.for_libpq = url;
  parsed.schema = extract_schema(parsed.for_libpq).value_or(kDefaultSchema);
  TRY(check_schema(parsed.schema));
  auto parts = parts_of(parsed.for_libpq);
  if (!parts || password_spills(url))
    return error(Code::kInvalid, "the PostgreSQL URL cannot be read; its form is {}", kForm);
  const std::string host = parts->contains("host") && !(*parts)["host"].empty() ? (*parts)["host"] : "localhost";
  const std::string port = parts->contains("port") ? ":" + (*parts)["port"] : "";
  parsed.database = (*parts)["dbname"];
  parsed.server = host + port;
  const bool socket = host.starts_with('/');
  parsed.display = fmt::format("postgres://{}/{}", socket ? "" : parsed.server, parsed.database);
  if (socket) parsed.display += "?host=" + host;
  if (parsed.schema != kDefaultSchema) parsed.display += (socket ? "&schema=" : "?schema=") + parsed.schema;
  return parsed;
}

}  // namespace weir::kv
