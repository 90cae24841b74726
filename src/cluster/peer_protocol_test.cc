#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>

#include "base/io.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "cluster/chunk_sums.h"
#include "cluster/peers_fixture.h"

namespace weir::cluster {
namespace {

using testing::Wire;

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};

std::string some_bytes(size_t size, uint64_t seed = 1) {
  std::string bytes(size, '\0');
  SeededRandom random(seed);
  for (char& byte : bytes) byte = static_cast<char>(random.next_u64());
  return bytes;
}

/// Two nodes; the second has a content of two chunks and a small one.
class PeerProtocolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    one_ = &nodes_.add(kOne);
    two_ = &nodes_.add(kTwo);
    bytes_ = some_bytes(limits::kChunkBytes + 300'001);
    manifest_ = std::make_shared<Manifest>();
    auto manifest = std::make_shared<Manifest>();
    manifest->size = bytes_.size();
    manifest->chunks = {chunk_id_of(bytes_.substr(0, limits::kChunkBytes)),
                        chunk_id_of(bytes_.substr(limits::kChunkBytes))};
    manifest_ = manifest;
    auto staging = two_->cache->new_staging().value();
    ASSERT_TRUE(staging->write(0, bytes_));
    ASSERT_TRUE(two_->cache->seal(staging, manifest_, {true, true}));
    ASSERT_TRUE(two_->cache->put_small_unstored(chunk_id_of(small_), small_));
  }

  Result<bool> fetch(const ChunkId& id, std::string& into) {
    return one_->client->chunk(kTwo, id, std::span<char>(into.data(), into.size()), nodes_.patience());
  }
  /// A wire between the nodes, which node one goes through from now on.
  std::unique_ptr<Wire> put_wire() {
    auto wire = std::make_unique<Wire>(two_->http->address());
    nodes_.tell_of({kTwo, "host", "", wire->address().text(), true});
    return wire;
  }
  std::unique_ptr<http::ClientConnection> connect() {
    return http::ClientConnection::open(two_->http->address(), nodes_.patience()).value();
  }
  /// A connection that is greeted as node 9, and its key.
  std::unique_ptr<http::ClientConnection> greeted(std::string& key) {
    Greeting greeting{NodeId{9}, kTwo, std::string(32, 'a'), ""};
    auto connection = connect();
    auto reply = connection->ask({"GET", kHelloPath, {{"Weir-Node", "9"}, {"Weir-Nonce", greeting.asker_nonce}}, ""},
                                 {}, nodes_.patience());
    greeting.answerer_nonce = reply.value().headers["weir-nonce"];
    key = PeerKey::of(testing::some_settings()).connection_key(greeting);
    return connection;
  }
  int status_of(http::ClientConnection& connection, const std::string& key, uint64_t sequence,
                std::string target = "") {
    if (target.empty()) target = fmt::format("{}{}?length=300001", kChunksPrefix, manifest_->chunks[1].hex());
    std::string buffer(300'001, '\0');
    auto reply = connection.ask(
        {"GET",
         target,
         {{"Weir-Sequence", std::to_string(sequence)}, {"Weir-Mac", request_mac(key, "GET", target, sequence, "")}},
         ""},
        std::span<char>(buffer.data(), buffer.size()), nodes_.patience());
    return reply ? reply->status : 0;
  }

  testing::Nodes nodes_;
  testing::Nodes::Node* one_ = nullptr;
  testing::Nodes::Node* two_ = nullptr;
  std::string bytes_;
  std::shared_ptr<const Manifest> manifest_;
  const std::string small_ = some_bytes(5000, 2);
};

TEST_F(PeerProtocolTest, BringsChunksOfImagesAndSmallContents) {
  std::string first(limits::kChunkBytes, '\0');
  std::string second(300'001, '\0');
  std::string small(5000, '\0');
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(fetch(manifest_->chunks[0], first).value());
    EXPECT_TRUE(fetch(manifest_->chunks[1], second).value());
    EXPECT_TRUE(fetch(chunk_id_of(small_), small).value());
    EXPECT_EQ(first + second, bytes_);
    EXPECT_EQ(small, small_);
  }
  EXPECT_EQ(one_->client->counters().bytes, 2 * (bytes_.size() + small_.size()));
  EXPECT_EQ(two_->peer_server->counters().chunks, 6u);
  // One connection was enough.
  EXPECT_EQ(two_->http->connections(), 1u);
}

TEST_F(PeerProtocolTest, SaysWhenItDoesNotHaveAChunk) {
  std::string buffer(100, '\0');
  EXPECT_FALSE(fetch(chunk_id_of("else"), buffer).value());
  std::string big(1 << 20, '\0');
  EXPECT_FALSE(fetch(chunk_id_of("else"), big).value());
}

TEST_F(PeerProtocolTest, AnswersNothingWithoutTheKey) {
  std::string key;
  auto connection = greeted(key);
  EXPECT_EQ(status_of(*connection, key, 1), 200);
  // No headers at all.
  const std::string target = fmt::format("{}{}?length=300001", kChunksPrefix, manifest_->chunks[1].hex());
  EXPECT_EQ(connect()->ask({"GET", target, {}, ""}, {}, nodes_.patience())->status, 401);
  EXPECT_EQ(connect()->ask({"POST", "/peer/v1/messages/x", {}, "body"}, {}, nodes_.patience())->status, 401);
  // The key of another volume.
  auto wrong = greeted(key);
  EXPECT_EQ(status_of(*wrong, std::string(32, 'w'), 1), 401);
  // From then on, the right one does not help: the connection begins anew.
  EXPECT_EQ(status_of(*wrong, key, 2), 401);
  EXPECT_EQ(two_->peer_server->counters().refused, 4u);
}

TEST_F(PeerProtocolTest, ARequestThatWasOverheardIsOfNoUse) {
  std::string key;
  auto connection = greeted(key);
  EXPECT_EQ(status_of(*connection, key, 5), 200);
  // On another connection.
  std::string other_key;
  auto other = greeted(other_key);
  EXPECT_EQ(status_of(*other, key, 5), 401);
  // On the same one, again or from before.
  EXPECT_EQ(status_of(*connection, key, 5), 401);
  connection = greeted(key);
  EXPECT_EQ(status_of(*connection, key, 5), 200);
  EXPECT_EQ(status_of(*connection, key, 4), 401);
}

TEST_F(PeerProtocolTest, WrongRequestsAreRefused) {
  std::string key;
  const std::string id = manifest_->chunks[1].hex();
  for (const std::string& target :
       {fmt::format("/peer/v1/chunks/{}", id), fmt::format("/peer/v1/chunks/{}?length=0", id),
        fmt::format("/peer/v1/chunks/{}?length=4194305", id), fmt::format("/peer/v1/chunks/{}?length=x", id),
        fmt::format("/peer/v1/chunks/{}?length=5", id.substr(1)), std::string("/peer/v1/chunks/../../etc?length=5"),
        fmt::format("/peer/v1/chunks/{}?length=5", std::string(64, '0'))})
    EXPECT_EQ(status_of(*greeted(key), key, 1, target), 400) << target;
  EXPECT_EQ(status_of(*greeted(key), key, 1, "/peer/v1/else"), 404);
  EXPECT_EQ(connect()
                ->ask({"GET", kHelloPath, {{"Weir-Node", "9"}, {"Weir-Nonce", "short"}}, ""}, {}, nodes_.patience())
                ->status,
            400);
  EXPECT_EQ(
      connect()
          ->ask({"POST", "/peer/v1/messages/x", {}, std::string(limits::kMessageBytes + 1, 'x')}, {}, nodes_.patience())
          ->status,
      413);
}

TEST_F(PeerProtocolTest, ANodeOfAnotherVolumeIsNotTrusted) {
  VolumeSettings other = testing::some_settings();
  other.name_hash_key[0] = 8;
  nodes_.add(NodeId{3}, other);
  std::string buffer(100, '\0');
  auto got = one_->client->chunk(NodeId{3}, chunk_id_of("x"), std::span<char>(buffer.data(), 100), nodes_.patience());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  EXPECT_NE(got.error().what.find("node 3 on host"), std::string::npos);
}

TEST_F(PeerProtocolTest, AnAddressThatAnotherNodeHasByNowIsNoticed) {
  nodes_.tell_of({NodeId{8}, "gpu-8", "", two_->http->address().text(), true});
  std::string buffer(5000, '\0');
  auto got =
      one_->client->chunk(NodeId{8}, chunk_id_of(small_), std::span<char>(buffer.data(), 5000), nodes_.patience());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
}

TEST_F(PeerProtocolTest, AByteChangedOnTheWireIsFoundAndTheChunkComesAgain) {
  auto wire = put_wire();
  wire->changed_replies = 1;
  std::string first(limits::kChunkBytes, '\0');
  EXPECT_TRUE(fetch(manifest_->chunks[0], first).value());
  EXPECT_EQ(chunk_id_of(first), manifest_->chunks[0]);
  EXPECT_EQ(one_->client->counters().wrong_sums, 1u);
  wire->changed_replies = 2;
  auto got = fetch(manifest_->chunks[0], first);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kCorrupt);
  EXPECT_EQ(one_->client->counters().wrong_sums, 3u);
}

TEST_F(PeerProtocolTest, SumsThatWereMadeOfAMisreadChunkAreMadeAnew) {
  // The disk gives wrong bytes once, when the sums are made.
  auto place = two_->cache->chunk_file(manifest_->chunks[0]).value().value();
  const std::string path = fmt::format("/proc/self/fd/{}", place.file.get());
  auto writable = io::open_file(path, O_RDWR).value();
  std::string first(limits::kChunkBytes, '\0');
  ASSERT_TRUE(io::write_at(writable.get(), "misread", place.offset + 1000));
  EXPECT_TRUE(fetch(manifest_->chunks[0], first).value());
  EXPECT_NE(chunk_id_of(first), manifest_->chunks[0]);
  ASSERT_TRUE(io::write_at(writable.get(), bytes_.substr(1000, 7), place.offset + 1000));
  EXPECT_TRUE(fetch(manifest_->chunks[0], first).value());
  EXPECT_EQ(chunk_id_of(first), manifest_->chunks[0]);
}

TEST_F(PeerProtocolTest, ANodeThatIsWrongAboutTheLengthOfAChunkSpoilsNothing) {
  const auto ask_for = [&](size_t length) {
    std::string key;
    auto connection = greeted(key);
    return status_of(*connection, key, 1,
                     fmt::format("{}{}?length={}", kChunksPrefix, manifest_->chunks[1].hex(), length));
  };
  ask_for(70'000);
  std::string second(300'001, '\0');
  EXPECT_TRUE(fetch(manifest_->chunks[1], second).value());
  EXPECT_EQ(chunk_id_of(second), manifest_->chunks[1]);
  EXPECT_EQ(one_->client->counters().wrong_sums, 0u);
  EXPECT_EQ(ask_for(400'000), 404);  // and not a promise of more bytes than there are
}

TEST_F(PeerProtocolTest, AReplyThatBreaksOffIsNoSuccess) {
  auto wire = put_wire();
  wire->broken_replies = 1;
  std::string first(limits::kChunkBytes, '\0');
  auto got = fetch(manifest_->chunks[0], first);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  EXPECT_TRUE(fetch(manifest_->chunks[0], first).value());
}

TEST_F(PeerProtocolTest, ANodeThatStartsAnewIsAskedOnANewConnection) {
  std::string small(5000, '\0');
  ASSERT_TRUE(fetch(chunk_id_of(small_), small).value());
  const uint16_t port = two_->http->address().port;
  two_->http.reset();
  nodes_.start(kTwo, port);
  EXPECT_TRUE(fetch(chunk_id_of(small_), small).value());
  EXPECT_EQ(one_->client->counters().failures, 0u);
}

TEST_F(PeerProtocolTest, ANodeThatDoesNotAnswerIsLeftAloneForAMomentAndThenTriedAgain) {
  const uint16_t port = two_->http->address().port;
  two_->http.reset();
  std::string small(5000, '\0');
  for (int i = 0; i < limits::kPeerFailures; ++i) EXPECT_FALSE(fetch(chunk_id_of(small_), small));
  nodes_.start(kTwo, port);
  auto refused = fetch(chunk_id_of(small_), small);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("did not answer lately"), std::string::npos);
  nodes_.clock.sleep_ms(limits::kPeerPauseMs + 50);
  EXPECT_TRUE(fetch(chunk_id_of(small_), small).value());
}

TEST(BreakerTest, PausesGrowUntilTheirEndAndASuccessForgetsThem) {
  Breaker breaker;
  int64_t now_ns = 0;
  auto pause_ms = [&] {
    breaker.failed(now_ns);
    const int64_t begun_ns = now_ns;
    while (!breaker.allows(now_ns)) now_ns += 1'000'000;
    return (now_ns - begun_ns) / 1'000'000;
  };
  for (int i = 1; i < limits::kPeerFailures; ++i) EXPECT_EQ(pause_ms(), 0);
  EXPECT_EQ(pause_ms(), limits::kPeerPauseMs);
  EXPECT_EQ(pause_ms(), 2 * limits::kPeerPauseMs);
  for (int i = 0; i < 70; ++i) EXPECT_LE(pause_ms(), limits::kPeerPauseMaxMs);
  EXPECT_EQ(pause_ms(), limits::kPeerPauseMaxMs);
  breaker.succeeded();
  EXPECT_EQ(pause_ms(), 0);
}

}  // namespace
}  // namespace weir::cluster
