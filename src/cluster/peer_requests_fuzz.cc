// Requests that anybody who reaches the port may send to a node, and those of a peer that has the key and asks for
// nonsense. Nobody gets a chunk or a hearing without the key, and what is answered fits the rules of HTTP.
//
// An input is a row of requests, each of lines: what is put right in it, method, target, four headers, body.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/peers_fixture.h"
#include "cluster/topics.h"

namespace {

using namespace weir;

constexpr size_t kRequestsMax = 16;
constexpr size_t kContentBytes = 100'000;
constexpr NodeId kSelf{7};

// What a request may have put right, so that it comes further than the key.
enum Mend : uint8_t { kHello = 1, kSign = 2, kChunk = 4, kSequence = 8 };

std::string_view take_line(std::string_view& input) {
  const size_t end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

class FuzzedNode {
 public:
  FuzzedNode() : content_(cache::testing::content(1, kContentBytes)) {
    cache::Options options;
    options.directory = directory_.file("cache");
    options.volume_id = settings_.volume_id;
    options.reserve_bytes = 1;
    auto opened = cache::Cache::open(options, clock_, [](const ManifestId&, const std::vector<ChunkId>&) {});
    cache_ = std::move(opened.value());
    cache::testing::sealed(*cache_, content_);
    auto take = [this](NodeId from, std::string topic, std::string body) { return heard(from, topic, body); };
    server_ = std::make_unique<cluster::PeerServer>(kSelf, key_, *cache_, random_, take);
    route_ = server_->routes().front();
  }

  void run(std::string_view input) {
    state_.reset();
    greeting_ = {};
    sequence_ = 0;
    for (size_t count = 0; count < kRequestsMax && !input.empty(); ++count) one(input);
  }

 private:
  void one(std::string_view& input) {
    const std::string_view first = take_line(input);
    const uint8_t mend = first.empty() ? 0 : static_cast<uint8_t>(first.front());
    http::Request request;
    request.state = &state_;
    request.method = take_line(input);
    request.target = take_line(input);
    for (std::string_view name :
         {cluster::kNodeHeader, cluster::kNonceHeader, cluster::kSequenceHeader, cluster::kMacHeader})
      request.headers[std::string(name)] = take_line(input);
    request.body = take_line(input);
    if (request.body.size() > route_.body_bytes_max) return;  // the server refuses it before
    const bool knows_key = put_right(mend, request);
    request.path = request.target.substr(0, request.target.find('?'));
    if (!request.path.starts_with(route_.prefix)) return;
    const uint64_t heard_before = heard_;
    const http::Response response = route_.handler(request);
    note_hello(request, response);
    judge(request, response, knows_key, heard_ != heard_before);
  }

  /// Whether the request is signed as a peer's.
  bool put_right(uint8_t mend, http::Request& request) {
    if ((mend & kHello) != 0) {
      request.target = cluster::kHelloPath;
      request.headers[std::string(cluster::kNodeHeader)] = "9";
      request.headers[std::string(cluster::kNonceHeader)] = std::string(2 * cluster::kNonceBytes, 'a');
    }
    if ((mend & kChunk) != 0)
      request.target = std::string(cluster::kChunksPrefix) + content_.manifest->chunks[0].hex() + request.target;
    std::string& sequence = request.headers[std::string(cluster::kSequenceHeader)];
    if ((mend & kSequence) != 0) sequence = std::to_string(++sequence_);
    const auto number = cluster::number_of(sequence);
    if ((mend & kSign) == 0 || greeting_.answerer_nonce.empty() || !number) return false;
    request.headers[std::string(cluster::kMacHeader)] =
        cluster::request_mac(key_.connection_key(greeting_), request.method, request.target, *number, request.body);
    return true;
  }

  void note_hello(const http::Request& request, const http::Response& response) {
    if (request.path != cluster::kHelloPath || response.status != 200) return;
    const auto node = cluster::number_of(*request.header(cluster::kNodeHeader));
    greeting_.asker = NodeId{static_cast<uint32_t>(node.value())};
    greeting_.answerer = kSelf;
    greeting_.asker_nonce = *request.header(cluster::kNonceHeader);
    CHECK(cluster::is_nonce(greeting_.asker_nonce));
    for (const auto& [name, value] : response.headers)
      if (name == cluster::kNonceHeader) greeting_.answerer_nonce = value;
  }

  void judge(const http::Request& request, const http::Response& response, bool knows_key, bool was_heard) {
    CHECK(response.status >= 200 && response.status <= 599);
    for (const auto& [name, value] : response.headers)
      CHECK((name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    const bool has_bytes = response.part.has_value() || response.shared != nullptr;
    if (request.path == cluster::kHelloPath) {
      CHECK(!has_bytes && !was_heard);
      return;
    }
    if (!knows_key) CHECK(response.status == 401 && !has_bytes && !was_heard);
    CHECK(was_heard == (response.status == 204));
    if (has_bytes) check_bytes(response);
  }

  void check_bytes(const http::Response& response) {
    const uint64_t length = response.part ? response.part->length : response.shared->size();
    CHECK(length > 0 && length <= limits::kChunkBytes);
    // Sums of as many pieces as the reply has.
    for (const auto& [name, value] : response.headers)
      if (name == cluster::kSumsHeader)
        CHECK(value.size() == 8 * ((length + limits::kSummedBytes - 1) / limits::kSummedBytes));
  }

  bool heard(NodeId from, const std::string& topic, const std::string& body) {
    ++heard_;
    CHECK(from == greeting_.asker && cluster::Topics::is_topic(topic) && body.size() <= limits::kMessageBytes);
    return true;
  }

  const std::string files_ = cache::testing::use_memory_for_files();
  const VolumeSettings settings_ = cluster::testing::some_settings();
  const cluster::PeerKey key_ = cluster::PeerKey::of(settings_);
  const cache::testing::TestContent content_;
  weir::testing::TemporaryDirectory directory_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<cache::Cache> cache_;
  std::unique_ptr<cluster::PeerServer> server_;
  http::Route route_;
  // Of one connection.
  std::unique_ptr<http::ConnectionState> state_;
  cluster::Greeting greeting_;
  uint64_t sequence_ = 0;
  uint64_t heard_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto node = [] {
    log::set_level(log::Level::kError);
    return std::make_unique<FuzzedNode>();
  }();
  node->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
