#include "cluster/peer_client.h"

#include <algorithm>

#include "base/limits.h"
#include "cluster/chunk_sums.h"

namespace weir::cluster {

PeerClient::PeerClient(NodeId self, PeerKey key, FindPeer find, Clock& clock, Random& random)
    : self_(self), key_(std::move(key)), find_(std::move(find)), clock_(clock), random_(random) {}

Result<bool> PeerClient::chunk(NodeId node, const ChunkId& id, std::span<char> buffer, const http::Patience& patience) {
  const std::string target = fmt::format("{}{}?length={}", kChunksPrefix, id.hex(), buffer.size());
  auto found = chunk_at(node, target, buffer, patience);
  // The other side may remember sums that are wrong themselves.
  if (!found && found.error().code == Code::kCorrupt) found = chunk_at(node, target + "&again=1", buffer, patience);
  if (!found && found.error().code == Code::kCorrupt)
    return error(Code::kCorrupt, "chunk {} came from {} with wrong bytes", id.hex(), describe(node, find_(node)));
  return found;
}

Result<bool> PeerClient::chunk_at(NodeId node, std::string_view target, std::span<char> buffer,
                                  const http::Patience& patience) {
  ASSIGN_OR_RETURN(http::Reply reply, ask(node, {"GET", target, {}, ""}, buffer, patience));
  if (reply.status == 404) return false;
  if (reply.status != 200)
    return error(Code::kUnavailable, "{} answered {} for a chunk", describe(node, find_(node)), reply.status);
  auto sums = reply.headers.find(kSumsHeader);
  const std::string_view bytes(buffer.data(), buffer.size());
  if (!reply.in_buffer || sums == reply.headers.end() || !sums_match(sums->second, bytes)) {
    ++counters_.wrong_sums;
    return error(Code::kCorrupt, "wrong bytes");
  }
  ++counters_.chunks;
  counters_.bytes += buffer.size();
  return true;
}

Status PeerClient::post(NodeId node, std::string_view topic, std::string_view body, const http::Patience& patience) {
  const std::string target = fmt::format("{}{}", kMessagesPrefix, topic);
  ASSIGN_OR_RETURN(http::Reply reply, ask(node, {"POST", target, {}, body}, {}, patience));
  if (reply.status != 204)
    return error(Code::kUnavailable, "{} answered {} to a message", describe(node, find_(node)), reply.status);
  return {};
}

Result<http::Reply> PeerClient::ask(NodeId node, const http::Ask& ask, std::span<char> buffer,
                                    const http::Patience& patience) {
  const std::optional<Peer> peer = find_(node);
  if (!peer) return error(Code::kUnavailable, "{} is not known here", describe(node, peer));
  if (peer->address.empty()) return error(Code::kUnavailable, "{} has no address", describe(node, peer));
  {
    MutexLock lock(mutex_);
    if (!links_[node].breaker.allows(clock_.monotonic_ns()))
      return error(Code::kUnavailable, "{} did not answer lately", describe(node, peer));
  }
  bool again = false;
  auto reply = ask_once(*peer, ask, buffer, patience, true, again);
  if (again) reply = ask_once(*peer, ask, buffer, patience, false, again);
  note(node, reply);
  if (reply) return reply;
  return error(reply.error().code, "{}: {}", describe(node, peer), reply.error().what);
}

Result<http::Reply> PeerClient::ask_once(const Peer& peer, const http::Ask& ask, std::span<char> buffer,
                                         const http::Patience& patience, bool may_reuse, bool& again) {
  std::optional<Session> session;
  if (may_reuse) session = take_idle(peer);
  again = session.has_value();
  if (!session) {
    ASSIGN_OR_RETURN(session, greet(peer, patience));
  }
  http::Ask signed_ask = ask;
  const uint64_t sequence = ++session->sequence;
  signed_ask.headers.emplace_back(kSequenceHeader, std::to_string(sequence));
  signed_ask.headers.emplace_back(kMacHeader, request_mac(session->key, ask.method, ask.target, sequence, ask.body));
  auto reply = session->connection->ask(signed_ask, buffer, patience);
  // The other side may have closed a connection that was idle, or have started anew.
  if (!reply) again = again && session->connection->nothing_came() && reply.error().code == Code::kUnavailable;
  if (!reply) return reply;
  if (reply->status == 401) return error(Code::kUnavailable, "it does not know this node's key");
  again = false;
  if (session->connection->usable()) keep(peer.id, std::move(*session));
  return reply;
}

std::optional<PeerClient::Session> PeerClient::take_idle(const Peer& peer) {
  const int64_t oldest_ns = clock_.monotonic_ns() - limits::kPeerIdleMs * 1'000'000;
  MutexLock lock(mutex_);
  std::vector<Session>& idle = links_[peer.id].idle;
  std::erase_if(idle, [&](const Session& one) { return one.address != peer.address || one.used_ns < oldest_ns; });
  if (idle.empty()) return std::nullopt;
  Session session = std::move(idle.back());
  idle.pop_back();
  return session;
}

void PeerClient::keep(NodeId node, Session session) {
  session.used_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  std::vector<Session>& idle = links_[node].idle;
  if (idle.size() < limits::kPeerConnectionsIdle) idle.push_back(std::move(session));
}

Result<PeerClient::Session> PeerClient::greet(const Peer& peer, const http::Patience& patience) {
  ASSIGN_OR_RETURN(http::Address address, http::Address::parse(peer.address));
  http::Patience first = patience;
  first.deadline_ns = std::min(patience.deadline_ns, clock_.monotonic_ns() + limits::kPeerConnectMs * 1'000'000);
  Session session;
  session.address = peer.address;
  ASSIGN_OR_RETURN(session.connection, http::ClientConnection::open(address, first));
  Greeting greeting{self_, peer.id, nonce_text(random_.bytes(kNonceBytes)), ""};
  http::Ask hello{"GET", kHelloPath, {}, ""};
  hello.headers.emplace_back(kNodeHeader, std::to_string(self_.value));
  hello.headers.emplace_back(kNonceHeader, greeting.asker_nonce);
  ASSIGN_OR_RETURN(http::Reply reply, session.connection->ask(hello, {}, first));
  greeting.answerer_nonce = reply.headers[std::string(kNonceHeader)];
  if (reply.status != 200 || !is_nonce(greeting.answerer_nonce) ||
      reply.headers[std::string(kNodeHeader)] != std::to_string(peer.id.value) ||
      !same_secret(reply.headers[std::string(kProofHeader)], key_.proof(greeting)))
    return error(Code::kUnavailable, "what answers there is another node, or not of this volume");
  session.key = key_.connection_key(greeting);
  return session;
}

void PeerClient::note(NodeId node, const Result<http::Reply>& outcome) {
  if (!outcome && outcome.error().code == Code::kInterrupted) return;
  MutexLock lock(mutex_);
  Breaker& breaker = links_[node].breaker;
  if (outcome) {
    breaker.succeeded();
    return;
  }
  ++counters_.failures;
  breaker.failed(clock_.monotonic_ns());
}

}  // namespace weir::cluster
