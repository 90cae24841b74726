#include "http/listener.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/limits.h"

namespace weir::http {

namespace {

Result<SocketAddress> bound_address(int socket) {
  SocketAddress bound;
  bound.size = sizeof bound.bytes;
  if (::getsockname(socket, bound.get(), &bound.size) != 0) return errno_error(errno, "ask for a socket's address");
  return bound;
}

}  // namespace

Result<Listener> Listener::bind(const Address& address) {
  ASSIGN_OR_RETURN(SocketAddress wanted, SocketAddress::of(address));
  FileDescriptor socket(::socket(wanted.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return errno_error(errno, "create a socket");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return errno_error(errno, "set up a socket");
  if (::bind(socket.get(), wanted.get(), wanted.size) != 0) {
    if (errno == EADDRINUSE) return error(Code::kBusy, "{} is in use by another program", address.text());
    if (errno == EADDRNOTAVAIL) return error(Code::kInvalid, "{} is no address of this machine", address.host);
    return errno_error(errno, fmt::format("listen at {}", address.text()));
  }
  if (::listen(socket.get(), limits::kHttpBacklog) != 0)
    return errno_error(errno, fmt::format("listen at {}", address.text()));
  ASSIGN_OR_RETURN(SocketAddress bound, bound_address(socket.get()));
  return Listener{std::move(socket), bound.address()};
}

Result<std::string> own_host_towards(const Address& other) {
  ASSIGN_OR_RETURN(SocketAddress target, SocketAddress::of(other));
  FileDescriptor socket(::socket(target.bytes.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return errno_error(errno, "create a socket");
  if (::connect(socket.get(), target.get(), target.size) != 0)
    return errno_error(errno, fmt::format("find a way to {}", other.text()));
  ASSIGN_OR_RETURN(SocketAddress bound, bound_address(socket.get()));
  return bound.address().host;
}

Result<std::string> own_host() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return errno_error(errno, "list the addresses of this machine");
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const int family : {AF_INET, AF_INET6}) {
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != family || (one->ifa_flags & IFF_UP) == 0) continue;
      SocketAddress address;
      address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
      std::memcpy(&address.bytes, one->ifa_addr, address.size);
      const std::string host = address.address().host;
      if (!address.is_loopback() && !host.starts_with("fe80:")) return host;
    }
  }
  return "127.0.0.1";
}

}  // namespace weir::http
