#include "cluster/peer_server.h"

#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/topics.h"

namespace weir::cluster {

namespace {

/// What a connection has shown.
struct Session : http::ConnectionState {
  std::string key;
  NodeId peer;
  uint64_t last_sequence = 0;
};

std::string header_text(const http::Request& request, std::string_view name) {
  return std::string(request.header(name).value_or(""));
}

/// What came was wrong the last time.
constexpr std::string_view kAgain = "&again=1";

/// The N of "?length=N".
std::optional<uint64_t> length_of(std::string_view target) {
  constexpr std::string_view kLength = "?length=";
  if (target.ends_with(kAgain)) target.remove_suffix(kAgain.size());
  const size_t query = target.find('?');
  if (query == std::string_view::npos || !target.substr(query).starts_with(kLength)) return std::nullopt;
  auto length = number_of(target.substr(query + kLength.size()));
  if (!length || *length == 0 || *length > limits::kChunkBytes) return std::nullopt;
  return length;
}

/// Sums of a part of a file. Nothing if the file is shorter.
Result<std::optional<ChunkSums>> sums_of_file(int file, uint64_t offset, size_t length) {
  ChunkSums sums;
  std::string bytes(std::min(length, limits::kSummedBytes), '\0');
  for (size_t done = 0; done < length; done += bytes.size()) {
    bytes.resize(std::min(length - done, limits::kSummedBytes));
    ASSIGN_OR_RETURN(size_t got, io::read_at(file, bytes.data(), bytes.size(), offset + done));
    if (got != bytes.size()) return std::optional<ChunkSums>();
    sums.push_back(sums_of(bytes).front());
  }
  return std::optional<ChunkSums>(std::move(sums));
}

http::Response chunk_response(const ChunkSums& sums) {
  http::Response response;
  response.headers.emplace_back("Content-Type", "application/octet-stream");
  response.headers.emplace_back(kSumsHeader, sums_text(sums));
  return response;
}

}  // namespace

PeerServer::PeerServer(NodeId self, PeerKey key, cache::Cache& cache, Random& random, TakeMessage take_message)
    : self_(self),
      key_(std::move(key)),
      cache_(cache),
      random_(random),
      take_message_(std::move(take_message)),
      sums_(limits::kPeerSumsKept) {}

std::vector<http::Route> PeerServer::routes() {
  return {
      {std::string(kPeerPrefix), limits::kMessageBytes, [this](http::Request& request) { return answer(request); }}};
}

http::Response PeerServer::answer(http::Request& request) {
  if (request.path == kHelloPath) return greet(request);
  const std::optional<NodeId> asker = asker_of(request);
  if (!asker) {
    ++counters_.refused;
    request.state->reset();
    return http::Response::text(401, "this is for the nodes of a volume, who begin with hello");
  }
  if (request.method == "GET" && request.path.starts_with(kChunksPrefix)) return chunk(request);
  if (request.method == "POST" && request.path.starts_with(kMessagesPrefix)) return message(*asker, request);
  return http::Response::text(404, "there is nothing here");
}

http::Response PeerServer::greet(http::Request& request) {
  auto node = number_of(header_text(request, kNodeHeader));
  Greeting greeting;
  greeting.asker_nonce = header_text(request, kNonceHeader);
  if (!node || *node > UINT32_MAX || !is_nonce(greeting.asker_nonce))
    return http::Response::text(400, "hello needs a node and a nonce");
  greeting.asker = NodeId{static_cast<uint32_t>(*node)};
  greeting.answerer = self_;
  greeting.answerer_nonce = nonce_text(random_.bytes(kNonceBytes));
  auto session = std::make_unique<Session>();
  session->key = key_.connection_key(greeting);
  session->peer = greeting.asker;
  *request.state = std::move(session);
  http::Response response;
  response.headers.emplace_back(kNodeHeader, std::to_string(self_.value));
  response.headers.emplace_back(kNonceHeader, greeting.answerer_nonce);
  response.headers.emplace_back(kProofHeader, key_.proof(greeting));
  return response;
}

std::optional<NodeId> PeerServer::asker_of(const http::Request& request) {
  auto* session = dynamic_cast<Session*>(request.state->get());
  auto sequence = number_of(header_text(request, kSequenceHeader));
  if (session == nullptr || !sequence || *sequence <= session->last_sequence) return std::nullopt;
  const std::string mac = request_mac(session->key, request.method, request.target, *sequence, request.body);
  if (!same_secret(mac, header_text(request, kMacHeader))) return std::nullopt;
  session->last_sequence = *sequence;
  return session->peer;
}

http::Response PeerServer::chunk(const http::Request& request) {
  auto id = ChunkId::from_hex(request.path.substr(kChunksPrefix.size()));
  auto length = length_of(request.target);
  if (!id || id->is_zero() || !length) return http::Response::text(400, "a chunk has an id and a length");
  if (request.target.ends_with(kAgain)) sums_.erase(*id);
  if (*length > limits::kSmallContentBytes) {
    auto found = cache_.chunk_file(*id);
    if (!found) log::warning("cannot look for chunk {}: {}", id->hex(), found.error().what);
    if (found && *found) return chunk_from_file(*id, std::move(**found), *length);
  }
  return chunk_from_memory(*id, *length);
}

http::Response PeerServer::chunk_from_file(const ChunkId& id, cache::ChunkFile found, size_t length) {
  std::optional<ChunkSums> sums = sums_.find(id, length);
  if (!sums) {
    auto read = sums_of_file(found.file.get(), found.offset, length);
    if (!read) log::warning("cannot read chunk {}: {}", id.hex(), read.error().what);
    if (!read || !*read) return chunk_from_memory(id, length);
    sums = std::move(**read);
    sums_.put(id, length, *sums);
  }
  http::Response response = chunk_response(*sums);
  response.part = http::FilePart{std::move(found.file), found.offset, length};
  ++counters_.chunks;
  counters_.bytes += length;
  return response;
}

http::Response PeerServer::chunk_from_memory(const ChunkId& id, size_t length) {
  if (in_memory_->fetch_add(1) >= limits::kPeerChunksInMemory) {
    --*in_memory_;
    return http::Response::text(503, "too many chunks are being sent");
  }
  std::shared_ptr<std::string> bytes(new std::string(length, '\0'), [count = in_memory_](std::string* ended) {
    delete ended;
    --*count;
  });
  auto found = cache_.read_chunk(id, std::span<char>(bytes->data(), length));
  if (!found) {
    log::warning("cannot read chunk {} for another node: {}", id.hex(), found.error().what);
    return http::Response::text(500, "the chunk cannot be read");
  }
  if (!*found) return http::Response::text(404, "this node does not have the chunk");
  http::Response response = chunk_response(sums_of(*bytes));
  response.shared = std::move(bytes);
  ++counters_.chunks;
  counters_.bytes += length;
  return response;
}

http::Response PeerServer::message(NodeId from, http::Request& request) {
  std::string topic = request.path.substr(kMessagesPrefix.size());
  if (!Topics::is_topic(topic)) return http::Response::text(400, "a topic has small letters and '-'");
  if (!take_message_(from, std::move(topic), std::move(request.body)))
    return http::Response::text(503, "too many messages are waiting");
  return {204, {}, "", std::nullopt};
}

}  // namespace weir::cluster
