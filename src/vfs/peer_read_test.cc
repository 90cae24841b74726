#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "base/io.h"
#include "cluster/peers_fixture.h"
#include "kv/memory/memory_engine.h"
#include "model/chunk.h"
#include "object/faulty/faulty_store.h"
#include "object/memory/memory_store.h"
#include "testing/sparse_bytes.h"
#include "vfs/admin.h"
#include "vfs/filesystem.h"

namespace weir::vfs {
namespace {

using cluster::testing::Wire;

constexpr NodeId kA{1};
constexpr NodeId kB{2};
constexpr NodeId kC{3};

/// Nodes of one volume in this process: one engine, one store, a cache and a filesystem each, and sockets between them.
class PeerReadTest : public ::testing::Test {
 protected:
  struct Machine {
    cluster::testing::Nodes::Node* node = nullptr;
    std::unique_ptr<meta::Volume> volume;
    std::unique_ptr<Filesystem> filesystem;
  };

  void SetUp() override {
    ASSERT_TRUE(meta::Volume::format(engine_, cluster::testing::some_settings(), 0, 0, nodes_.clock));
    store_.set_down(true);
    add(kA);
    add(kB);
  }
  void TearDown() override {
    store_.set_down(false);
    for (auto& [id, machine] : machines_) machine.filesystem->stop_waiting();
  }

  void add(NodeId id, int64_t read_timeout_ms = 10'000) {
    Machine& machine = machines_[id];
    machine.node = &nodes_.add(id);
    machine.volume = std::move(meta::Volume::open(engine_, id, nodes_.clock, nodes_.random).value());
    FilesystemOptions options;
    options.read_timeout_ms = read_timeout_ms;
    options.upload_threads = 2;
    options.peers = machine.node->client.get();
    machine.filesystem = std::move(Filesystem::start(*machine.volume, *machine.node->cache, store_, options).value());
  }
  Filesystem& on(NodeId id) { return *machines_[id].filesystem; }
  Caller caller() { return {.unique = ++unique_}; }
  static KernelNode root() { return KernelNode::of(kRootInode, 0); }

  void put(NodeId id, const std::string& name, std::string_view bytes) {
    auto created = on(id).create(caller(), root(), name, {.mode = 0644}, O_RDWR | O_CREAT);
    ASSERT_TRUE(created) << created.error().what;
    for (size_t done = 0; done < bytes.size(); done += 1 << 20) {
      auto written = on(id).write(created->opened.handle, done, bytes.substr(done, 1 << 20));
      ASSERT_TRUE(written) << written.error().what;
    }
    Status flushed = on(id).flush(caller(), created->opened.handle, 1);
    ASSERT_TRUE(flushed) << flushed.error().what;
    on(id).release(caller(), created->opened.handle, std::nullopt);
  }
  HandleId open(NodeId id, const std::string& name) {
    return on(id).open(caller(), on(id).lookup(root(), name).value().node, O_RDONLY).value().handle;
  }
  Result<Bytes> read(NodeId id, HandleId handle, uint64_t offset, size_t count, const Waiting& waiting = {}) {
    Bytes bytes(count, '\0');
    ASSIGN_OR_RETURN(size_t got, on(id).read(handle, offset, std::span<char>(bytes.data(), count), waiting));
    bytes.resize(got);
    return bytes;
  }
  Result<Bytes> get(NodeId id, const std::string& name, size_t size) {
    const HandleId handle = open(id, name);
    Bytes all;
    while (all.size() < size) {
      ASSIGN_OR_RETURN(Bytes more, read(id, handle, all.size(), 1 << 20));
      if (more.empty()) break;
      all += more;
    }
    on(id).release(caller(), handle, std::nullopt);
    return all;
  }
  uint16_t cut(NodeId id) {
    const uint16_t port = machines_[id].node->http->address().port;
    machines_[id].node->http.reset();
    return port;
  }
  void declare_dead(NodeId id) {
    auto peer = nodes_.find(id).value();
    peer.alive = false;
    peer.host = "gpu-7";
    nodes_.tell_of(peer);
  }
  int64_t elapsed_ms(int64_t since_ns) { return (nodes_.clock.monotonic_ns() - since_ns) / 1'000'000; }

  cluster::testing::Nodes nodes_;
  kv::MemoryEngine engine_;
  object::MemoryStore plain_store_{nodes_.clock};
  object::FaultyStore store_{plain_store_, nodes_.clock, 1};
  std::map<NodeId, Machine> machines_;
  std::atomic<uint64_t> unique_ = 0;
  const Bytes big_ = testing::pattern(1, 2 * limits::kChunkBytes + 12'345);
  const Bytes small_ = testing::pattern(2, 9'000);
};

TEST_F(PeerReadTest, WhatOneNodeClosedAnotherReadsBeforeTheUpload) {
  put(kA, "big", big_);
  put(kA, "small", small_);
  put(kA, "tiny", "some words");
  EXPECT_EQ(get(kB, "big", big_.size()).value(), big_);
  EXPECT_EQ(get(kB, "small", small_.size()).value(), small_);
  EXPECT_EQ(get(kB, "tiny", 10).value(), "some words");
  const FilesystemStatus after = status(on(kB));
  EXPECT_EQ(after.reads.peer_bytes, big_.size() + small_.size());
  EXPECT_EQ(after.reads.store_bytes, 0u);
  // What came once is in the cache.
  cut(kA);
  EXPECT_EQ(get(kB, "big", big_.size()).value(), big_);
  EXPECT_EQ(get(kB, "small", small_.size()).value(), small_);
}

TEST_F(PeerReadTest, AByteThatChangesOnTheWireNeverReachesAReader) {
  put(kA, "big", big_);
  Wire wire(machines_[kA].node->http->address());
  wire.changed_replies = 2;
  nodes_.tell_of({kA, "a", "", wire.address().text(), true});
  EXPECT_EQ(get(kB, "big", big_.size()).value(), big_);
  EXPECT_EQ(wire.changed_replies, 0);
  EXPECT_EQ(machines_[kB].node->client->counters().wrong_sums, 2u);
}

TEST_F(PeerReadTest, BytesThatTheHoldersDiskChangedNeverReachAReader) {
  put(kA, "big", big_);
  machines_[kA].filesystem.reset();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(machines_[kA].node->directory.path())) {
    if (!entry.is_regular_file() || entry.file_size() != big_.size()) continue;
    auto file = io::open_file(entry.path(), O_RDWR).value();
    ASSERT_TRUE(io::write_at(file.get(), "other bytes", 5'000'000));
  }
  const HandleId handle = open(kB, "big");
  EXPECT_EQ(read(kB, handle, 0, 4096).value(), big_.substr(0, 4096));
  auto wrong = read(kB, handle, limits::kChunkBytes, 4096);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kCorrupt);
  EXPECT_NE(wrong.error().what.find("node 1 on"), std::string::npos) << wrong.error().what;
  EXPECT_GT(status(on(kB)).reads.corrupt_chunks, 0u);
  on(kB).release(caller(), handle, std::nullopt);
  add(kA);
}

TEST_F(PeerReadTest, AReaderWaitsForAHolderThatIsOutOfReachAndGoesOnWhenItIsBack) {
  put(kA, "big", big_);
  const uint16_t port = cut(kA);
  std::atomic<bool> ended = false;
  Result<Bytes> got = Bytes();
  std::thread reader([&] {
    got = get(kB, "big", big_.size());
    ended = true;
  });
  nodes_.clock.sleep_ms(700);
  EXPECT_FALSE(ended);
  nodes_.start(kA, port);
  reader.join();
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, big_);
}

TEST_F(PeerReadTest, AReaderThatWaitsIsServedFromTheStoreOnceItIsThere) {
  put(kA, "big", big_);
  cut(kA);
  Result<Bytes> got = Bytes();
  std::thread reader([&] { got = get(kB, "big", big_.size()); });
  nodes_.clock.sleep_ms(300);
  store_.set_down(false);
  reader.join();
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, big_);
  EXPECT_GT(status(on(kB)).reads.store_bytes, 0u);
}

TEST_F(PeerReadTest, AReadFailsAtOnceWhenItsOnlyHolderIsDead) {
  put(kA, "big", big_);
  put(kA, "small", small_);
  cut(kA);
  declare_dead(kA);
  const int64_t begun_ns = nodes_.clock.monotonic_ns();
  for (const char* name : {"big", "small"}) {
    auto got = get(kB, name, 100);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kIo);
    EXPECT_NE(got.error().what.find("node 1 on gpu-7"), std::string::npos) << got.error().what;
  }
  EXPECT_LT(elapsed_ms(begun_ns), 5'000);
}

TEST_F(PeerReadTest, AHolderThatOthersFoundDeadIsAskedAllTheSame) {
  put(kA, "big", big_);
  declare_dead(kA);
  EXPECT_EQ(get(kB, "big", big_.size()).value(), big_);
}

TEST_F(PeerReadTest, AnotherHolderIsAskedWhenOneIsDead) {
  put(kA, "big", big_);
  put(kB, "same", big_);
  add(kC);
  cut(kA);
  declare_dead(kA);
  EXPECT_EQ(get(kC, "big", big_.size()).value(), big_);
}

TEST_F(PeerReadTest, AReadWaitsNoLongerThanTheReadTimeout) {
  add(kC, 1'500);
  put(kA, "big", big_);
  cut(kA);
  const HandleId handle = open(kC, "big");
  const int64_t begun_ns = nodes_.clock.monotonic_ns();
  auto got = read(kC, handle, 0, 4096);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  EXPECT_NE(got.error().what.find("node 1 on host"), std::string::npos) << got.error().what;
  EXPECT_GE(elapsed_ms(begun_ns), 1'500);
  EXPECT_LT(elapsed_ms(begun_ns), 9'000);
  on(kC).release(caller(), handle, std::nullopt);
}

TEST_F(PeerReadTest, AnInterruptedReaderEndsAndOthersOfTheSameChunkGoOn) {
  put(kA, "big", big_);
  const uint16_t port = cut(kA);
  const HandleId handle = open(kB, "big");
  std::atomic<bool> interrupted = false;
  Result<Bytes> first = Bytes();
  Result<Bytes> second = Bytes();
  std::thread pilot([&] { first = read(kB, handle, 0, 4096, {.keep_going = [&] { return !interrupted; }}); });
  nodes_.clock.sleep_ms(200);
  std::thread other([&] { second = read(kB, handle, 0, 4096); });
  nodes_.clock.sleep_ms(200);
  interrupted = true;
  pilot.join();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kInterrupted);
  nodes_.start(kA, port);
  other.join();
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(*second, big_.substr(0, 4096));
  on(kB).release(caller(), handle, std::nullopt);
}

TEST_F(PeerReadTest, WhoMustNotWaitIsToldSoAlsoWhenAnotherWaitsForTheSameChunk) {
  put(kA, "big", big_);
  const uint16_t port = cut(kA);
  const HandleId handle = open(kB, "big");
  auto alone = read(kB, handle, 0, 4096, {.for_holders = false});
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, Code::kWouldBlock);
  std::thread waiting([&] { EXPECT_TRUE(read(kB, handle, 0, 4096)); });
  nodes_.clock.sleep_ms(500);
  const int64_t begun_ns = nodes_.clock.monotonic_ns();
  auto beside = read(kB, handle, 0, 4096, {.for_holders = false});
  ASSERT_FALSE(beside);
  EXPECT_EQ(beside.error().code, Code::kWouldBlock);
  EXPECT_LT(elapsed_ms(begun_ns), 3'000);
  nodes_.start(kA, port);
  waiting.join();
  on(kB).release(caller(), handle, std::nullopt);
}

TEST_F(PeerReadTest, AWriteIntoAPartOfAChunkWaitsForItsHolderOnlyWhereItMay) {
  put(kA, "big", big_);
  put(kA, "small", small_);
  const uint16_t port = cut(kA);
  for (const char* name : {"big", "small"}) {
    const HandleId handle = on(kB).open(caller(), on(kB).lookup(root(), name).value().node, O_RDWR).value().handle;
    auto refused = on(kB).write(handle, 10, "new", WriteFrom::kProgram, {.for_holders = false});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kWouldBlock);
    std::atomic<bool> ended = false;
    std::thread writer([&] {
      EXPECT_TRUE(on(kB).write(handle, 10, "new"));
      ended = true;
    });
    nodes_.clock.sleep_ms(200);
    EXPECT_FALSE(ended);
    nodes_.start(kA, port);
    writer.join();
    Bytes expected = (name == std::string("big") ? big_ : small_).substr(0, 4096);
    expected.replace(10, 3, "new");
    EXPECT_EQ(read(kB, handle, 0, 4096).value(), expected);
    on(kB).release(caller(), handle, std::nullopt);
    cut(kA);
  }
}

TEST_F(PeerReadTest, NobodyWaitsOnceTheMountEnds) {
  put(kA, "big", big_);
  cut(kA);
  const HandleId handle = open(kB, "big");
  Result<Bytes> got = Bytes();
  std::thread reader([&] { got = read(kB, handle, 0, 4096); });
  nodes_.clock.sleep_ms(300);
  const int64_t begun_ns = nodes_.clock.monotonic_ns();
  on(kB).stop_waiting();
  reader.join();
  EXPECT_FALSE(got);
  EXPECT_LT(elapsed_ms(begun_ns), 5'000);
  on(kB).release(caller(), handle, std::nullopt);
}

TEST_F(PeerReadTest, AFileWhoseHolderIsGoneDoesNotHoldUpOthers) {
  put(kA, "gone", big_);
  put(kB, "there", small_);
  cut(kA);
  std::vector<std::thread> readers;
  const HandleId handle = open(kB, "gone");
  for (int i = 0; i < 16; ++i) readers.emplace_back([&] { (void)read(kB, handle, 0, 4096); });
  nodes_.clock.sleep_ms(200);
  const int64_t begun_ns = nodes_.clock.monotonic_ns();
  EXPECT_EQ(get(kB, "there", small_.size()).value(), small_);
  EXPECT_LT(elapsed_ms(begun_ns), 2'000);
  on(kB).stop_waiting();
  for (std::thread& reader : readers) reader.join();
  on(kB).release(caller(), handle, std::nullopt);
}

}  // namespace
}  // namespace weir::vfs
