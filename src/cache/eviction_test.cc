#include <filesystem>

#include "cache/cache_fixture.h"
#include "cache/victims.h"

namespace weir::cache::testing {
namespace {

constexpr size_t kMib = 1u << 20;

Candidate candidate(uint8_t name, uint64_t bytes, int64_t last_used_ns, uint8_t uses) {
  Sha256Digest digest{};
  digest[0] = name;
  return {ManifestId(digest), bytes, last_used_ns, uses};
}

std::vector<uint8_t> names(const std::vector<Candidate>& candidates) {
  std::vector<uint8_t> result;
  for (const Candidate& one : candidates) result.push_back(static_cast<uint8_t>(one.id.bytes()[0]));
  return result;
}

TEST(VictimsTest, the_one_used_longest_ago_goes_first) {
  Victims victims = choose_victims({candidate(1, 10, 300, 1), candidate(2, 10, 100, 1), candidate(3, 10, 200, 1)}, 15);
  EXPECT_EQ(names(victims.evict), (std::vector<uint8_t>{2, 3}));
}

TEST(VictimsTest, what_was_used_once_goes_before_what_was_used_twice) {
  Victims victims = choose_victims({candidate(1, 10, 100, 2), candidate(2, 10, 900, 1), candidate(3, 10, 800, 1)}, 20);
  EXPECT_EQ(names(victims.evict), (std::vector<uint8_t>{3, 2}));
}

TEST(VictimsTest, protection_ends_where_four_fifths_are_protected) {
  std::vector<Candidate> all;
  for (uint8_t i = 1; i <= 10; ++i) all.push_back(candidate(i, 10, i, 5));
  Victims victims = choose_victims(all, 10);
  EXPECT_EQ(names(victims.evict), (std::vector<uint8_t>{1}));
  EXPECT_EQ(victims.demote.size(), 2u);
}

TEST(VictimsTest, all_go_when_more_is_wanted_than_there_is) {
  EXPECT_EQ(choose_victims({candidate(1, 10, 1, 9), candidate(2, 10, 2, 1)}, 1000).evict.size(), 2u);
  EXPECT_TRUE(choose_victims({}, 1000).evict.empty());
  EXPECT_TRUE(choose_victims({candidate(1, 10, 1, 9)}, 0).evict.empty());
}

class EvictionTest : public CacheTest {
 protected:
  void use(const TestContent& content) {
    clock_.advance_ms(1000);
    filled(*cache_, content);
  }
  bool here(const TestContent& content) { return cache_->present_chunks(content.id()).has_value(); }
  /// The housekeeper works on real time.
  bool becomes(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) ::usleep(10'000);
    return condition();
  }
};

TEST_F(EvictionTest, one_pass_over_much_content_does_not_flush_what_is_used_again_and_again) {
  std::vector<TestContent> hot;
  for (uint64_t i = 0; i < 4; ++i) hot.push_back(content(i, kMib));
  for (const TestContent& one : hot) use(one);
  for (const TestContent& one : hot) use(one);
  for (uint64_t i = 100; i < 150; ++i) {
    use(content(i, kMib));
    cache_->evict_to(10 * kMib);
    ASSERT_LE(cache_->usage().image_bytes, 10 * kMib);
  }
  for (const TestContent& one : hot) EXPECT_TRUE(here(one));
}

TEST_F(EvictionTest, what_was_hot_once_makes_room_in_the_end) {
  std::vector<TestContent> old;
  for (uint64_t i = 0; i < 8; ++i) old.push_back(content(i, kMib));
  for (int round = 0; round < 2; ++round)
    for (const TestContent& one : old) use(one);
  for (uint64_t i = 100; i < 130; ++i) {
    TestContent fresh = content(i, kMib);
    use(fresh);
    use(fresh);
    cache_->evict_to(10 * kMib);
  }
  for (const TestContent& one : old) EXPECT_FALSE(here(one));
}

TEST_F(EvictionTest, recency_and_uses_survive_into_the_next_life) {
  TestContent hot = content(1, kMib);
  TestContent cold = content(2, kMib);
  use(hot);
  use(hot);
  use(cold);
  reopen();
  cache_->evict_to(kMib);
  EXPECT_TRUE(here(hot));
  EXPECT_FALSE(here(cold));
}

TEST_F(EvictionTest, an_image_in_use_stays) {
  TestContent used = content(1, kMib);
  auto image = filled(*cache_, used);
  Status busy = cache_->evict_image(used.id());
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::kBusy);
  EXPECT_EQ(cache_->evict_to(0), 0u);
  EXPECT_EQ(bytes_of(*image), used.bytes);
  image.reset();
  EXPECT_GE(cache_->evict_to(0), kMib);
  EXPECT_FALSE(here(used));
  EXPECT_GE(cache_->usage().evicted_bytes, kMib);
}

TEST_F(EvictionTest, evicting_what_is_absent_is_fine) {
  EXPECT_TRUE(cache_->evict_image(content(1, 10).id()));
  EXPECT_TRUE(cache_->evict_small(chunk_id_of("absent")));
}

TEST_F(EvictionTest, content_above_the_limit_goes_by_itself) {
  options_.size_bytes_max = 8 * kMib;
  reopen();
  for (uint64_t i = 0; i < 30; ++i) filled(*cache_, content(i, kMib));
  EXPECT_TRUE(becomes([&] { return cache_->usage().image_bytes <= 8 * kMib; }));
  EXPECT_GE(cache_->usage().image_bytes, 4 * kMib);
}

TEST_F(EvictionTest, unstored_content_may_exceed_the_limit_until_it_is_stored) {
  options_.size_bytes_max = 4 * kMib;
  reopen();
  for (uint64_t i = 0; i < 10; ++i) sealed(*cache_, content(i, kMib));
  cache_->evict_to(0);
  EXPECT_EQ(cache_->usage().images, 10u);
  store_all(*cache_);
  EXPECT_TRUE(becomes([&] { return cache_->usage().image_bytes <= 4 * kMib; }));
}

TEST_F(EvictionTest, small_contents_and_images_give_their_share) {
  for (uint64_t i = 0; i < 60; ++i) filled(*cache_, content(i, kMib));
  for (uint64_t i = 0; i < 1000; ++i) {
    Bytes bytes = pattern(1000 + i, 63'000);
    ASSERT_TRUE(cache_->put_small(chunk_id_of(bytes), bytes));
  }
  cache_->evict_to(60 * kMib);
  Usage usage = cache_->usage();
  EXPECT_LE(usage.image_bytes + usage.small_bytes, 60 * kMib);
  EXPECT_GE(usage.image_bytes, 10 * kMib);
  EXPECT_GE(usage.small_bytes, 10 * kMib);
}

}  // namespace
}  // namespace weir::cache::testing
