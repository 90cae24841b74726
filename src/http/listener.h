#pragma once

#include "base/file_descriptor.h"
#include "base/result.h"
#include "http/address.h"

namespace weir::http {

/// A socket that connections can be made to, before anybody answers them: its address can be told to others first.
struct Listener {
  FileDescriptor socket;
  Address address;  // with the port that it got

  /// Port 0: any free one. Busy: the port is taken. Access, Unavailable as the system says, in a sentence.
  static Result<Listener> bind(const Address& address);
};

/// The address of this machine from which `other` is reached; of a machine that is not reachable at all, nothing.
/// Sends nothing.
Result<std::string> own_host_towards(const Address& other);
/// A numeric address of this machine that others may reach: of an interface that is up and not the loopback one. The
/// loopback one if there is no other.
Result<std::string> own_host();

}  // namespace weir::http
