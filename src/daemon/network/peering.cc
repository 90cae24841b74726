#include "daemon/network/peering.h"

#include "base/io.h"
#include "base/network_limits.h"
#include "cluster/peer_key.h"

namespace weir {

namespace {

cluster::FindPeer find_in(const cluster::Members* members) {
  return [members](NodeId node) -> std::optional<cluster::Peer> {
    if (members == nullptr) return std::nullopt;
    auto member = members->find(node);
    if (!member) return std::nullopt;
    return cluster::Peer{node, member->info.host, member->info.zone, member->info.address, !members->is_gone(node)};
  };
}

Result<http::Listener> listen_at(const ListenAddress& address) {
  if (address.preferred_port != 0) {
    // Others have it still.
    if (auto again = http::Listener::bind({address.listen.host, address.preferred_port})) return again;
  }
  return http::Listener::bind(address.listen);
}

}  // namespace

Peering::Peering(NodeId self, const VolumeSettings& settings, cache::Cache& cache, const cluster::Members* members,
                 Clock& clock, Random& random)
    : clock_(clock),
      client_(self, cluster::PeerKey::of(settings), find_in(members), clock, random),
      messenger_(client_, clock),
      server_(self, cluster::PeerKey::of(settings), cache, random,
              [this](NodeId from, std::string topic, std::string body) {
                return messenger_.take(from, std::move(topic), std::move(body));
              }) {}

Peering::~Peering() = default;

Result<std::string> Peering::listen(const ListenAddress& address) {
  ASSIGN_OR_RETURN(listener_, listen_at(address));
  http::Address told = address.advertise;
  if (told.port == 0) told.port = listener_.address.port;
  return told.text();
}

Status Peering::start(Pages pages) {
  pages_ = std::move(pages);
  std::vector<http::Route> routes = server_.routes();
  routes.push_back({"/healthz", 0, [](http::Request&) { return http::Response::text(200, "ok"); }});
  routes.push_back({"/metrics", 0, [this](http::Request& request) { return metrics(request); }});
  ASSIGN_OR_RETURN(http_, http::Server::start(std::move(listener_), std::move(routes), clock_));
  return {};
}

void Peering::stop() { http_.reset(); }

http::Response Peering::metrics(const http::Request& request) const {
  const std::string_view sent = request.header("authorization").value_or("");
  const bool has_token = !pages_.metrics_token.empty() && cluster::same_secret(sent, "Bearer " + pages_.metrics_token);
  if (!request.from_this_machine && !has_token)
    return http::Response::text(401, "programs on other machines need the token of weir mount --metrics-token-file");
  return {200, {{"Content-Type", pages_.metrics_type}}, pages_.metrics(), std::nullopt};
}

Result<std::string> read_token(const std::string& path) {
  auto bytes = io::read_file(path);
  if (!bytes) return error(bytes.error().code, "cannot read the token for metrics: {}", bytes.error().what);
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = bytes->find_first_not_of(kBlanks);
  std::string token =
      first == std::string::npos ? "" : bytes->substr(first, bytes->find_last_not_of(kBlanks) - first + 1);
  if (token.size() < limits::kTokenBytesMin)
    return error(Code::kInvalid, "the token in {} has fewer than {} characters, which is too few for a secret", path,
                 limits::kTokenBytesMin);
  return token;
}

}  // namespace weir
