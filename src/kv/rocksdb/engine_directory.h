#pragma once

#include <string>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir::kv {

/// The directory of an embedded engine, held by this process alone while the object lives:
///   format   one line that says what this is; written last, so that a directory without it was never used
///   lock     locked by the process that has it open; its text names that process for the message to others
///   db/      RocksDB's files
/// Every function blocks on disk. Errors are sentences for the user.
class EngineDirectory {
 public:
  /// NotFound, Busy, Invalid (something else is there), Unsupported (of a newer Weir), ReadOnly, NoSpace.
  static Result<EngineDirectory> open(const std::string& path);
  /// Makes the directory, or takes an empty one or one whose creation was interrupted. Exists, NotEmpty, and as open().
  static Result<EngineDirectory> create(const std::string& path);
  /// Ends create(): from now on open() accepts it, durably.
  Status finish_create() const;

  const std::string& path() const { return path_; }
  std::string database_path() const { return path_ + "/db"; }

 private:
  EngineDirectory(std::string path, FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FileDescriptor lock_;
};

}  // namespace weir::kv
