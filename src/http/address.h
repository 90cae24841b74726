#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::http {

/// A numeric address and a port: "10.0.0.7:7480", "[fd00::7]:7480". Names are refused, since looking one up may block
/// for long.
struct Address {
  std::string host;  // without brackets
  uint16_t port = 0;

  /// Invalid, with what is wrong.
  static Result<Address> parse(std::string_view text);
  std::string text() const;
  bool operator==(const Address&) const = default;
};

/// As the system calls want it.
struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  /// Requires: an address of Address::parse(), or one like it.
  static Result<SocketAddress> of(const Address& address);
  Address address() const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
  bool is_loopback() const;
};

}  // namespace weir::http
