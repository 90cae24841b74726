#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir {

/// A stream socket that carries lines. Every wait has an end: no peer can hold a thread for ever.
/// Thread rule: one thread, except shutdown().
class LineSocket {
 public:
  LineSocket(FileDescriptor fd, size_t line_bytes_max);
  /// Blocks: until connected, for `timeout_ms` at most. NotFound or Unavailable when nobody listens at `path`; Timeout
  /// when who listens there takes no connections.
  static Result<LineSocket> connect(const std::string& path, size_t line_bytes_max, int64_t timeout_ms);

  /// The next line without its end; nothing when the peer has closed. The whole line must come within `timeout_ms`
  /// (negative: no limit). Timeout; TooLarge; Invalid for a line that breaks off.
  Result<std::optional<std::string>> read_line(int64_t timeout_ms);
  /// `line` and a line end. Timeout when the peer does not take it, Unavailable when it is gone.
  Status write_line(std::string_view line, int64_t timeout_ms);
  bool peer_gone() const;
  /// Makes reads of another thread end as if the peer had closed; what is being written still goes out.
  void shutdown_reading() const;
  int fd() const { return fd_.get(); }

 private:
  /// False when the time is over.
  Result<bool> wait_for(short events, int64_t deadline_ms) const;

  FileDescriptor fd_;
  size_t line_bytes_max_;
  std::string buffer_;
};

}  // namespace weir
