#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/address.h"

namespace weir {

/// Hosts of a postgres:// URL, names or numeric addresses, without ports. Empty: a local socket. Pure.
std::vector<std::string> database_hosts(const std::string& metadata_url);

/// The address of this machine by which other nodes most likely reach it: the one from which it reaches its database,
/// unless that is on this machine; then that of a network interface. Blocks: looks names up.
Result<std::string> host_for_others(const std::string& metadata_url);

/// Where the HTTP server listens, and what others are told.
struct ListenAddress {
  http::Address listen;         // port 0: any free one
  http::Address advertise;      // port 0: the one that `listen` gets
  uint16_t preferred_port = 0;  // of an earlier life; 0: none
};
/// What --listen and --advertise say, empty where they say nothing; `previous` is the address that this node had last.
/// Nothing: no server. Invalid, with a sentence. Blocks as above.
Result<std::optional<ListenAddress>> listen_address(const std::string& listen, const std::string& advertise,
                                                    const std::string& metadata_url, bool shared,
                                                    const std::string& previous);

}  // namespace weir
