#include "daemon/network/listen_address.h"

#include <netdb.h>

#include <cstring>
#include <memory>

#include "http/listener.h"

namespace weir {

namespace {

constexpr uint16_t kAnyRealPort = 5432;  // nothing is sent there

std::optional<http::Address> numeric_address(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0 || found == nullptr) return std::nullopt;
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  http::SocketAddress address;
  address.size = found->ai_addrlen;
  std::memcpy(&address.bytes, found->ai_addr, found->ai_addrlen);
  return http::Address{address.address().host, kAnyRealPort};
}

bool is_any(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

std::vector<std::string> database_hosts(const std::string& metadata_url) {
  std::vector<std::string> hosts;
  const size_t scheme = metadata_url.find("://");
  if (scheme == std::string::npos) return hosts;
  std::string rest = metadata_url.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?"));
  if (const size_t at = rest.rfind('@'); at != std::string::npos) rest = rest.substr(at + 1);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    std::string one = rest.substr(0, comma);
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    if (one.starts_with('[')) {
      one = one.substr(1, one.find(']') == std::string::npos ? std::string::npos : one.find(']') - 1);
    } else {
      one = one.substr(0, one.find(':'));
    }
    // "%2F…" is the directory of a local socket.
    if (!one.empty() && !one.starts_with('%')) hosts.push_back(one);
  }
  return hosts;
}

Result<std::string> host_for_others(const std::string& metadata_url) {
  for (const std::string& host : database_hosts(metadata_url)) {
    auto database = numeric_address(host);
    if (!database) continue;
    auto own = http::own_host_towards(*database);
    if (!own) continue;
    auto address = http::SocketAddress::of({*own, kAnyRealPort});
    // A database on this machine's own address is reached from that address.
    if (address && !address->is_loopback()) return own;
  }
  return http::own_host();
}

Result<std::optional<ListenAddress>> listen_address(const std::string& listen, const std::string& advertise,
                                                    const std::string& metadata_url, bool shared,
                                                    const std::string& previous) {
  if (listen == "none" || (listen.empty() && !shared)) {
    if (!advertise.empty())
      return error(Code::kInvalid, "--advertise needs a server, and --listen says that there is none");
    return std::nullopt;
  }
  ListenAddress chosen;
  if (listen.empty()) {
    ASSIGN_OR_RETURN(chosen.listen.host, host_for_others(metadata_url));
  } else {
    ASSIGN_OR_RETURN(chosen.listen, http::Address::parse(listen));
  }
  if (!advertise.empty()) {
    ASSIGN_OR_RETURN(chosen.advertise, http::Address::parse(advertise));
  } else {
    chosen.advertise = chosen.listen;
    if (is_any(chosen.listen.host)) {
      ASSIGN_OR_RETURN(chosen.advertise.host, host_for_others(metadata_url));
    }
  }
  auto before = http::Address::parse(previous);
  if (before && chosen.listen.port == 0 && before->host == chosen.advertise.host) chosen.preferred_port = before->port;
  return chosen;
}

}  // namespace weir
