#pragma once

#include <string>

#include "base/result.h"

namespace weir::kv {

/// A metadata URL of the form postgres://user:password@host:port/database?schema=name, in parts. `schema` is Weir's own
/// parameter, "weir" by default; all others are libpq's.
struct PostgresUrl {
  std::string for_libpq;
  std::string schema;
  /// For messages: without user and password.
  std::string display;
  /// Host and port, for messages about reaching the server.
  std::string server;
  std::string database;
};

/// Invalid when it cannot be read; the message never repeats the URL, which may hold a password.
Result<PostgresUrl> parse_postgres_url(const std::string& url);

}  // namespace weir::kv
