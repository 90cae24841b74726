#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir::testing {

/// A PostgreSQL server of its own for tests: a new cluster in a temporary directory, reached through a Unix socket in
/// it. As root it runs as user postgres, since the server refuses root. A guardian process stops it and removes the
/// directory when the object is destroyed, and also when the test dies. Thread rule: one thread at a time.
class PostgresServer {
 public:
  struct Options {
    bool fsync = false;
    /// Further settings, such as "max_connections=20".
    std::vector<std::string> settings;
  };

  /// Blocks: a second or two. NotFound, with the package to install, when PostgreSQL is not installed.
  static Result<std::unique_ptr<PostgresServer>> start(const Options& options);
  static Result<std::unique_ptr<PostgresServer>> start() { return start(Options{}); }
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// postgres:///database?host=…; with `parameters` appended, such as "schema=x".
  std::string url(const std::string& parameters = "", const std::string& database = "postgres") const;
  /// Kills the server as a crash would; it answers nobody until start_again().
  Status kill();
  Status start_again();

 private:
  PostgresServer() = default;
  Status set_up(const Options& options);
  Status start_guardian();
  /// Runs a program of PostgreSQL as the server's user; its output is in the error when it fails.
  Status run(const std::string& program, const std::vector<std::string>& arguments) const;

  std::string programs_;
  std::string directory_;
  std::string settings_;
  unsigned user_ = 0;
  unsigned group_ = 0;
  bool change_user_ = false;
  /// Closed by the end of this process, by whatever cause: the guardian waits for that.
  FileDescriptor guardian_pipe_;
  int guardian_ = -1;
};

}  // namespace weir::testing
