#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "base/limits.h"
#include "cache/cache_fixture.h"
#include "testing/own_process.h"

namespace weir::cache::testing {
namespace {

constexpr uint32_t kContents = 6;

/// What the child tells when an operation has returned; pipes keep messages of this size whole.
struct Message {
  enum class Kind : uint32_t { kOpened, kSealed, kSmall, kFilled, kRecord, kStored, kFailed } kind = Kind::kFailed;
  uint32_t seed = 0;
  uint64_t detail = 0;
};

size_t size_of(uint32_t seed) { return limits::kSmallContentBytes + (seed % 3) * (limits::kChunkBytes - 1000); }
const TestContent& large(uint32_t seed) {
  static const std::vector<TestContent> all = [] {
    std::vector<TestContent> contents;
    for (uint32_t i = 0; i < kContents; ++i) contents.push_back(content(i, size_of(i)));
    return contents;
  }();
  return all[seed];
}
Bytes small_bytes(uint32_t seed) { return pattern(uint64_t{1} << 32 | seed, 5000 + seed % 50'000); }

/// Fault model: SIGKILL at any moment. The child does what a node does; the parent kills it and looks, in the next
/// life, for all that the child had been promised.
class KillTest : public CacheTest {
 protected:
  [[noreturn]] void live(int pipe, uint64_t seed) {
    large(0);  // the contents are made before the time that the parent gives
    auto opened = Cache::open(options_, clock_, {});
    if (!opened) ::_exit(3);
    cache_ = std::move(*opened);
    storing_ = seed % 2 == 0;
    say(pipe, Message::Kind::kOpened, 0);
    std::thread first([&] { work(pipe, seed); });
    std::thread second([&] { work(pipe, ~seed); });
    first.join();
    second.join();
    ::_exit(0);
  }

  void say(int pipe, Message::Kind kind, uint32_t seed, uint64_t detail = 0) {
    Message message{kind, seed, detail};
    if (::write(pipe, &message, sizeof message) != sizeof message) ::_exit(4);
  }

  void work(int pipe, uint64_t seed) {
    SeededRandom random(seed);
    for (;;) {
      const auto which = static_cast<uint32_t>(random.below(kContents));
      switch (random.below(storing_ ? 6 : 5)) {
        case 0:
        case 1: seal(pipe, which, random.below(2) == 0); break;
        case 2: put(pipe, static_cast<uint32_t>(random.below(1000))); break;
        case 3: fill(pipe, which, random); break;
        case 4: stage(pipe, which); break;
        case 5: store(pipe, random); break;
      }
    }
  }

  void seal(int pipe, uint32_t which, bool whole) {
    const TestContent& written = large(which);
    auto staging = cache_->new_staging();
    if (!staging) return say(pipe, Message::Kind::kFailed, which);
    std::vector<bool> own(written.manifest->chunks.size());
    uint64_t mask = 0;
    for (size_t i = 0; i < own.size(); ++i) {
      own[i] = whole || i % 2 == which % 2;
      if (!own[i]) continue;
      mask |= uint64_t{1} << i;
      if (!(*staging)->write(chunk_offset(i), written.chunk(i))) return say(pipe, Message::Kind::kFailed, which);
    }
    if (!cache_->seal(*staging, written.manifest, own)) return say(pipe, Message::Kind::kFailed, which);
    say(pipe, Message::Kind::kSealed, which, mask);
  }

  void put(int pipe, uint32_t which) {
    Bytes bytes = small_bytes(which);
    bool done = cache_->put_small_unstored(chunk_id_of(bytes), bytes).has_value();
    say(pipe, done ? Message::Kind::kSmall : Message::Kind::kFailed, which);
  }

  void fill(int pipe, uint32_t which, SeededRandom& random) {
    const TestContent& wanted = large(which);
    auto image = cache_->open_image(wanted.id(), wanted.manifest);
    if (!image) return say(pipe, Message::Kind::kFailed, which);
    uint64_t index = random.below(wanted.manifest->chunks.size());
    bool done = (*image)->fill(index, wanted.chunk(index)).has_value();
    say(pipe, done ? Message::Kind::kFilled : Message::Kind::kFailed, which);
  }

  void stage(int pipe, uint32_t which) {
    auto staging = cache_->new_staging();
    if (!staging || !(*staging)->write(0, small_bytes(which)) || !(*staging)->save_record(std::to_string(which)))
      return say(pipe, Message::Kind::kFailed, which);
    (*staging)->keep();
    say(pipe, Message::Kind::kRecord, which, (*staging)->id());
  }

  void store(int pipe, SeededRandom& random) {
    auto records = cache_->unstored(0, 1 + random.below(3));
    for (const Unstored& record : records)
      if (!cache_->mark_stored(record)) say(pipe, Message::Kind::kFailed, 0);
    if (random.below(4) == 0) cache_->evict_to(0);
    say(pipe, Message::Kind::kStored, 0);
  }

  /// Everything in the cache is what its name says, and what is promised is there.
  void check(const std::map<uint64_t, uint32_t>& staged) {
    for (uint32_t which = 0; which < kContents; ++which) {
      const TestContent& wanted = large(which);
      auto image = cache_->open_image(wanted.id(), wanted.manifest);
      ASSERT_TRUE(image) << image.error().what;
      for (uint64_t i = 0; i < wanted.manifest->chunks.size(); ++i) {
        if (!(*image)->has(i)) continue;
        Bytes bytes(wanted.chunk(i).size(), '\0');
        ASSERT_TRUE((*image)->read(chunk_offset(i), bytes));
        EXPECT_EQ(chunk_id_of(bytes), wanted.manifest->chunks[i]);
      }
    }
    uint64_t bytes = 0;
    uint64_t contents = 0;
    for (const Unstored& record : cache_->unstored(0, SIZE_MAX)) {
      ++contents;
      bytes += record.bytes;
      for (const ChunkId& id : record.chunks) expect_chunk(id);
    }
    EXPECT_EQ(cache_->usage().unstored_bytes, bytes);
    EXPECT_EQ(cache_->usage().unstored_contents, contents);
    std::map<uint64_t, uint32_t> found;
    for (Recovered& recovered : cache_->take_recovered()) {
      const auto which = static_cast<uint32_t>(std::stoul(recovered.record));
      Bytes expected = small_bytes(which);
      Bytes got(expected.size(), '\0');
      ASSERT_TRUE(recovered.staging->read(0, got));
      EXPECT_EQ(got, expected);
      found[recovered.id] = which;
    }
    for (const auto& [id, which] : staged) EXPECT_EQ(found[id], which) << "staging file " << id;
  }

  void expect_chunk(const ChunkId& id) {
    auto known = lengths_.find(id);
    ASSERT_NE(known, lengths_.end());
    Bytes chunk(known->second, '\0');
    Result<bool> found = cache_->read_chunk(id, chunk);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_TRUE(*found);
    EXPECT_EQ(chunk_id_of(chunk), id);
  }

  std::map<ChunkId, size_t> lengths_;
  bool storing_ = false;  // the child marks content stored, and evicts
};

TEST_F(KillTest, what_was_acknowledged_is_there_after_a_kill_at_any_moment) {
  cache_.reset();
  if (auto told = weir::testing::own_process_arguments()) {
    options_.directory = told->at(0);
    live(std::stoi(told->at(1)), std::stoull(told->at(2)));
  }
  for (uint32_t which = 0; which < kContents; ++which) {
    const TestContent& one = large(which);
    for (size_t i = 0; i < one.manifest->chunks.size(); ++i) lengths_[one.manifest->chunks[i]] = one.chunk(i).size();
  }
  for (uint32_t which = 0; which < 1000; ++which) {
    Bytes bytes = small_bytes(which);
    lengths_[chunk_id_of(bytes)] = bytes.size();
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(6);
  size_t rounds = 0;
  size_t acknowledged = 0;
  for (uint64_t seed = 1; rounds < 60 && (rounds < 5 || std::chrono::steady_clock::now() < end); ++rounds, ++seed) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_EQ(::fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
    const pid_t child =
        weir::testing::start_own_process({options_.directory, std::to_string(ends[1]), std::to_string(seed)});
    ASSERT_GT(child, 0);
    ::close(ends[1]);
    Message message;
    ASSERT_EQ(::read(ends[0], &message, sizeof message), static_cast<ssize_t>(sizeof message));
    std::thread killer([&] {
      ::usleep(static_cast<useconds_t>(SeededRandom(seed).below(100'000)));
      ::kill(child, SIGKILL);
    });
    std::map<uint32_t, uint64_t> sealed_chunks;
    std::map<uint32_t, bool> small;
    std::map<uint64_t, uint32_t> staged;
    while (::read(ends[0], &message, sizeof message) == sizeof message) {
      ++acknowledged;
      ASSERT_NE(message.kind, Message::Kind::kFailed);
      if (message.kind == Message::Kind::kSealed) sealed_chunks[message.seed] |= message.detail;
      if (message.kind == Message::Kind::kSmall) small[message.seed] = true;
      if (message.kind == Message::Kind::kRecord) staged[message.detail] = message.seed;
    }
    killer.join();
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    ::close(ends[0]);
    open();
    ASSERT_TRUE(cache_);
    if (seed % 2 == 1) {
      for (const auto& [which, mask] : sealed_chunks) {
        const TestContent& wanted = large(which);
        for (size_t i = 0; i < wanted.manifest->chunks.size(); ++i)
          if (mask >> i & 1) expect_chunk(wanted.manifest->chunks[i]);
      }
      for (const auto& [which, done] : small) expect_chunk(chunk_id_of(small_bytes(which)));
    }
    check(staged);
    if (HasFailure()) FAIL() << "seed " << seed;
    cache_.reset();
  }
  EXPECT_GE(acknowledged, rounds * 5);
  EXPECT_TRUE(lost_.empty());
  RecordProperty("rounds", static_cast<int>(rounds));
  RecordProperty("acknowledged", static_cast<int>(acknowledged));
}

}  // namespace
}  // namespace weir::cache::testing
