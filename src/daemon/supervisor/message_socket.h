#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "daemon/json.h"

namespace weir {

/// What supervisor and daemon tell each other: an object with a text field "kind", and descriptors.
struct ProcessMessage {
  Json body;
  std::vector<FileDescriptor> descriptors;

  std::string kind() const { return json_text(body, "kind").value_or(""); }
};

/// One end of a socket that carries such messages whole (docs/supervisor.md). Thread rule: one thread may receive while
/// another sends.
class MessageSocket {
 public:
  MessageSocket() = default;
  explicit MessageSocket(FileDescriptor fd) : fd_(std::move(fd)) {}
  /// Both ends, which close on exec.
  static Result<std::pair<MessageSocket, MessageSocket>> pair();

  /// The descriptors are duplicated to the other side. Unavailable when that is gone, Timeout when it takes nothing.
  Status send(const Json& body, std::span<const int> descriptors = {}) const;
  /// The next message; nothing when the other side is gone. Blocks: until there is one.
  Result<std::optional<ProcessMessage>> receive() const;
  int fd() const { return fd_.get(); }
  bool valid() const { return fd_.valid(); }

 private:
  FileDescriptor fd_;
};

}  // namespace weir
