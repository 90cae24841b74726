#include <atomic>
#include <chrono>
#include <thread>

#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

constexpr size_t kMib = 1u << 20;

/// Threads that do everything at once on few contents. Whatever they see must be what its name says.
class ConcurrencyTest : public CacheTest {
 protected:
  /// At least that long, and until `enough`, but not for ever.
  void run_for(int seconds, const std::function<bool()>& enough,
               const std::vector<std::function<void(SeededRandom&)>>& jobs) {
    const auto begin = std::chrono::steady_clock::now();
    auto over = [&] {
      const auto elapsed = std::chrono::steady_clock::now() - begin;
      return elapsed > std::chrono::seconds(120) || (elapsed > std::chrono::seconds(seconds) && enough());
    };
    std::vector<std::thread> threads;
    uint64_t seed = 1;
    for (const auto& job : jobs)
      threads.emplace_back([&, seed = seed++] {
        SeededRandom random(seed);
        while (!over()) job(random);
      });
    for (std::thread& thread : threads) thread.join();
  }

  void fill_and_read(SeededRandom& random) {
    const TestContent& wanted = contents_[random.below(contents_.size())];
    auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
    uint64_t index = random.below(wanted.manifest->chunks.size());
    if (!image->has(index)) CHECK(image->fill(index, wanted.chunk(index)));
    CHECK(image->has(index));
    Bytes got(wanted.chunk(index).size(), '\0');
    CHECK(image->read(chunk_offset(index), got));
    CHECK(got == wanted.chunk(index));
    ++reads_;
  }

  void seal(SeededRandom& random) {
    const TestContent& written = contents_[random.below(contents_.size())];
    auto staging = cache_->new_staging().value();
    std::vector<bool> own(written.manifest->chunks.size());
    for (size_t i = 0; i < own.size(); ++i) {
      own[i] = random.below(3) != 0;
      if (own[i]) CHECK(staging->write(chunk_offset(i), written.chunk(i)));
    }
    auto image = cache_->seal(staging, written.manifest, own).value();
    for (size_t i = 0; i < own.size(); ++i) CHECK(!own[i] || image->has(i));
    ++seals_;
  }

  void read_chunk(SeededRandom& random) {
    const TestContent& wanted = contents_[random.below(contents_.size())];
    uint64_t index = random.below(wanted.manifest->chunks.size());
    Bytes got(wanted.chunk(index).size(), '\0');
    if (cache_->read_chunk(wanted.manifest->chunks[index], got).value()) {
      CHECK(got == wanted.chunk(index));
      ++chunks_;
    }
  }

  void small(SeededRandom& random) {
    Bytes bytes = pattern(random.below(300), 20'000);
    ChunkId id = chunk_id_of(bytes);
    switch (random.below(4)) {
      case 0: CHECK(cache_->put_small(id, bytes)); break;
      case 1: put_small_and_find_it(id, bytes); break;
      case 2: (void)cache_->evict_small(id); break;
      case 3: CHECK(cache_->get_small(id).value().value_or(bytes) == bytes); break;
    }
  }

  /// What was stored meanwhile may be evicted at once; what was not must be there.
  void put_small_and_find_it(const ChunkId& id, const Bytes& bytes) {
    const uint64_t ended = stores_ended_;
    CHECK(cache_->put_small_unstored(id, bytes));
    const std::optional<Bytes> found = cache_->get_small(id).value();
    CHECK(!found || *found == bytes);
    if (stores_begun_ != ended) return;
    CHECK(found);
    ++unstored_finds_;
  }

  void store_everything() {
    ++stores_begun_;
    store_all(*cache_);
    ++stores_ended_;
  }

  std::vector<TestContent> contents_ = [] {
    std::vector<TestContent> all;
    for (uint64_t i = 0; i < 5; ++i) all.push_back(content(i, (i % 3 * 4 + 1) * kMib));
    return all;
  }();
  std::atomic<uint64_t> reads_ = 0;
  std::atomic<uint64_t> seals_ = 0;
  std::atomic<uint64_t> chunks_ = 0;
  std::atomic<uint64_t> unstored_finds_ = 0;
  std::atomic<uint64_t> stores_begun_ = 0;
  std::atomic<uint64_t> stores_ended_ = 0;
};

TEST_F(ConcurrencyTest, fills_reads_seals_uploads_and_evictions_do_not_disturb_one_another) {
  options_.size_bytes_max = 12 * kMib;
  reopen();
  auto use = [this](SeededRandom& random) { fill_and_read(random); };
  auto enough = [this] { return reads_ > 100 && seals_ > 20 && chunks_ > 10 && unstored_finds_ > 20; };
  run_for(3, enough,
          {use, use, use, [this](SeededRandom& random) { seal(random); },
           [this](SeededRandom& random) { read_chunk(random); }, [this](SeededRandom& random) { small(random); },
           [this](SeededRandom& random) {
             store_everything();
             if (random.below(2) == 0) cache_->evict_to(0);
             (void)cache_->evict_image(contents_[random.below(contents_.size())].id());
             (void)cache_->usage();
             ::usleep(3000);
           },
           [this](SeededRandom&) {
             CHECK(cache_->barrier());
             ::usleep(20'000);
           }});
  EXPECT_TRUE(enough());
  store_all(*cache_);
  cache_->evict_to(0);
  Usage usage = cache_->usage();
  EXPECT_EQ(usage.images, 0u);
  EXPECT_EQ(usage.image_bytes, 0u);
  EXPECT_EQ(usage.unstored_bytes, 0u);
  EXPECT_EQ(usage.staging_bytes, 0u);
  EXPECT_EQ(usage.small_bytes, 0u);
  EXPECT_EQ(usage.small_contents, 0u);
}

TEST_F(ConcurrencyTest, many_threads_fill_one_image_once) {
  TestContent wanted = content(1, 40 * kMib);
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 6; ++seed)
    threads.emplace_back([&, seed] {
      auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
      const uint64_t count = wanted.manifest->chunks.size();
      for (uint64_t i = 0; i < count; ++i) {
        uint64_t index = (i + seed * 3) % count;
        CHECK(image->fill(index, wanted.chunk(index)));
      }
    });
  for (std::thread& thread : threads) thread.join();
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), wanted.bytes);
  EXPECT_EQ(cache_->present_chunks(wanted.id()), 10u);
  EXPECT_LE(cache_->usage().image_bytes, 41 * kMib);
}

TEST_F(ConcurrencyTest, opening_while_the_last_user_lets_go_never_gives_two_files) {
  TestContent wanted = content(1, 9 * kMib);
  filled(*cache_, wanted);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 3000; ++round) {
        auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
        CHECK(image->complete());
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache_->usage().images, 1u);
  EXPECT_TRUE(cache_->evict_image(wanted.id()));
}

}  // namespace
}  // namespace weir::cache::testing
