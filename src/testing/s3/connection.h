#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir::testing::s3 {

/// The server's side of one TCP connection. Every method blocks on the peer. Thread rule: one thread, except that any
/// may call end().
class Connection {
 public:
  explicit Connection(FileDescriptor socket);

  /// A request's head with its empty line; nothing when the peer closed in an orderly way between two requests.
  Result<std::optional<std::string>> read_head();
  /// At least one byte of what follows the head. Unavailable when the peer is gone.
  Result<size_t> read_some(std::span<char> buffer);
  Status write(std::string_view first, std::string_view second = {});

  /// False, at once, when the peer closed or somebody called end(); true after `duration_ms`. -1: for ever.
  bool wait_ms(int64_t duration_ms);
  /// close() will tell the peer that the connection was reset instead of ending it in an orderly way.
  void reset_on_close();
  /// All that waits on this connection returns, now and later. Not while close() runs; afterwards it does nothing.
  void end();
  void close() { socket_.reset(); }

 private:
  FileDescriptor socket_;
  std::string ahead_;  // read, and not yet asked for
};

}  // namespace weir::testing::s3
