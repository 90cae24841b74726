#include <gtest/gtest.h>

#include "vfs/random_files_fixture.h"

namespace weir::vfs {
namespace {

struct Run {
  uint64_t seed;
  bool on_disk;
  int steps;
};

class RandomOperationsTest : public ::testing::TestWithParam<Run> {
 protected:
  /// A seed from outside, to look for more.
  static uint64_t seed() {
    const char* wanted = std::getenv("WEIR_TEST_SEED");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) + GetParam().seed : GetParam().seed;
  }

  TestVolume volume_{{.on_disk = GetParam().on_disk}};
};

TEST_P(RandomOperationsTest, files_are_what_was_done_to_them) {
  std::printf("seed %lu\n", seed());
  RandomFiles files(seed(), &volume_);
  for (int step = 0; step < GetParam().steps; ++step) {
    if (step % 150 == 149)
      files.restart();
    else
      files.step();
    if (step % 10 == 0 || step % 150 == 149) {
      ASSERT_NO_FATAL_FAILURE(files.check_all()) << "seed " << seed() << ", step " << step << ": " << files.last_step();
    }
    ASSERT_FALSE(HasFailure()) << "seed " << seed() << ", step " << step << ": " << files.last_step();
  }
  files.close_all();
  ASSERT_NO_FATAL_FAILURE(volume_.drain_and_evict());
  ASSERT_NO_FATAL_FAILURE(files.check_all()) << "out of the object store, seed " << seed();
  EXPECT_EQ(vfs::status(volume_.fs()).reads.corrupt_chunks, 0u);
  EXPECT_EQ(vfs::status(volume_.fs()).open_handles, 0u);

  files.remove_all();
  ASSERT_NO_FATAL_FAILURE(volume_.drain());
  volume_.collect();
  EXPECT_EQ(volume_.objects(), std::vector<std::string>()) << "seed " << seed();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperationsTest,
                         ::testing::Values(Run{1, false, 600}, Run{2, false, 600}, Run{3, false, 600},
                                           Run{4, true, 400}),
                         [](const auto& run) { return fmt::format("seed_{}", run.param.seed); });

}  // namespace
}  // namespace weir::vfs
