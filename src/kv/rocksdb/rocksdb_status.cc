#include "kv/rocksdb/rocksdb_status.h"

#include <rocksdb/status.h>

#include <string>

namespace weir::kv {
namespace {

Code code_of(const rocksdb::Status& status, std::string_view text) {
  if (status.IsNoSpace() || text.find("No space left") != text.npos) return Code::kNoSpace;
  if (text.find("Read-only file system") != text.npos) return Code::kReadOnly;
  if (text.find("Permission denied") != text.npos) return Code::kAccess;
  if (text.find("While lock file") != text.npos || text.find("lock hold by") != text.npos) return Code::kBusy;
  if (status.IsNotFound() || status.IsPathNotFound()) return Code::kNotFound;
  if (status.IsCorruption()) return Code::kCorrupt;
  if (status.IsIOError()) return Code::kIo;
  if (status.IsInvalidArgument()) return Code::kInvalid;
  if (status.IsNotSupported()) return Code::kUnsupported;
  if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut() || status.IsIncomplete()) return Code::kUnavailable;
  return Code::kInternal;
}

}  // namespace

Status status_of_rocksdb(const rocksdb::Status& status, std::string_view action) {
  if (status.ok()) return {};
  const std::string text = status.ToString();
  return error(code_of(status, text), "{}: {}", action, text);
}

}  // namespace weir::kv
