// What a power cut did to users once, each as a piece of work and a cut right after it, over many seeds.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>

#include "daemon/check/check_volume.h"
#include "power_disk.h"
#include "testing/volume_fixture.h"
#include "vfs/core.h"

namespace weir::testing {
namespace {

class PowerPromisesTest : public ::testing::Test {
 protected:
  using Work = std::function<void(TestVolume& volume)>;

  /// `before` is safe when `work` begins; the power goes when it has ended; `after` looks at what is left.
  void each_cut(const Work& before, const Work& work, const Work& after) {
    for (uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(fmt::format("seed {}", seed));
      TemporaryDirectory temporary;
      VolumeOptions options{.on_disk = true, .directory = temporary.file("before")};
      options.filesystem.upload = upload_;
      ASSERT_TRUE(std::filesystem::create_directory(options.directory));
      {
        TestVolume volume(options);
        before(volume);
      }
      {
        PowerDisk disk(options.directory);
        TestVolume volume(options);
        work(volume);
        disk.cut_now(seed, temporary.file("after"));
      }
      options.directory = temporary.file("after");
      options.boot_id = "the next one";
      options.filesystem.upload = false;
      TestVolume volume(options);
      after(volume);
      expect_clean(volume);
      if (HasFailure()) return;
    }
  }
  static void expect_clean(TestVolume& volume) {
    auto result = check_volume(volume.volume(), volume.store(), &volume.cache(), {.deep = true}, {});
    ASSERT_TRUE(result.has_value()) << result.error().what;
    for (const meta::Problem& problem : result->problems) ADD_FAILURE() << problem.kind << ": " << problem.what;
  }
  static void nothing(TestVolume&) {}

  bool upload_ = false;
};

TEST_F(PowerPromisesTest, a_new_file_that_was_never_synced_is_whole_or_absent_or_empty_and_reported) {
  std::set<std::string> outcomes;
  each_cut(
      nothing, [](TestVolume& volume) { EXPECT_DONE(volume.put("new", pattern(1, 300'000))); },
      [&](TestVolume& volume) {
        if (!volume.exists("new")) {
          outcomes.insert("absent");
          return;
        }
        auto bytes = volume.get("new");
        ASSERT_TRUE(bytes.has_value()) << "it cannot be read: " << bytes.error().what;
        outcomes.insert(bytes->empty() ? "empty" : "whole");
        // It is empty too when only its creation was safe.
        if (!bytes->empty()) {
          EXPECT_TRUE(*bytes == pattern(1, 300'000));
        }
      });
  EXPECT_TRUE(outcomes.contains("absent") || outcomes.contains("empty"));
}

TEST_F(PowerPromisesTest, a_file_that_was_made_empty_is_reported_with_its_number) {
  size_t emptied = 0;
  each_cut(
      nothing,
      [](TestVolume& volume) {
        EXPECT_DONE(volume.put("new", pattern(1, 300'000)));
        EXPECT_DONE(volume.volume().engine().barrier());
      },
      [&](TestVolume& volume) {
        ASSERT_TRUE(volume.exists("new"));
        auto bytes = volume.get("new");
        ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
        const std::vector<std::string> reports = vfs::status(volume.fs()).reports;
        ASSERT_EQ(reports.size(), bytes->empty() ? 1u : 0u);
        if (!bytes->empty()) return;
        ++emptied;
        EXPECT_NE(reports[0].find(fmt::format("inode {} ", volume.inode("new").value)), std::string::npos);
      });
  EXPECT_GT(emptied, 0u);
}

TEST_F(PowerPromisesTest, what_was_fsynced_is_there_although_the_file_was_closed_after_it) {
  each_cut(
      nothing,
      [](TestVolume& volume) {
        HandleId handle = volume.create("log");
        EXPECT_DONE(volume.write(handle, 0, pattern(1, 300'000)));
        EXPECT_DONE(volume.sync(handle));
        EXPECT_DONE(volume.write(handle, 300'000, "more"));
        EXPECT_DONE(volume.close(handle));
      },
      [](TestVolume& volume) {
        ASSERT_TRUE(volume.exists("log"));
        auto bytes = volume.get("log");
        ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
        ASSERT_GE(bytes->size(), 300'000u);
        EXPECT_TRUE(bytes->substr(0, 300'000) == pattern(1, 300'000));
      });
}

TEST_F(PowerPromisesTest, what_another_descriptor_fsynced_is_there) {
  each_cut(
      nothing,
      [](TestVolume& volume) {
        EXPECT_DONE(volume.put("big", pattern(1, 300'000)));
        EXPECT_DONE(volume.put("small", pattern(2, 30'000)));
        for (const char* name : {"big", "small"}) {
          HandleId handle = volume.open(name, O_RDONLY);
          EXPECT_DONE(volume.sync(handle));
          EXPECT_DONE(volume.close(handle));
        }
      },
      [](TestVolume& volume) {
        auto big = volume.get("big"), small = volume.get("small");
        ASSERT_TRUE(big.has_value()) << big.error().what;
        ASSERT_TRUE(small.has_value()) << small.error().what;
        EXPECT_TRUE(*big == pattern(1, 300'000));
        EXPECT_TRUE(*small == pattern(2, 30'000));
      });
}

TEST_F(PowerPromisesTest, what_was_fsynced_is_there_although_the_same_content_is_in_the_cache_already) {
  each_cut([](TestVolume& volume) { EXPECT_DONE(volume.put("twin", pattern(1, 300'000))); },
           [](TestVolume& volume) {
             HandleId handle = volume.create("copy");
             EXPECT_DONE(volume.write(handle, 0, pattern(1, 300'000)));
             EXPECT_DONE(volume.sync(handle));
             EXPECT_DONE(volume.close(handle));
           },
           [](TestVolume& volume) {
             for (const char* name : {"twin", "copy"}) {
               ASSERT_TRUE(volume.exists(name));
               EXPECT_TRUE(TestVolume::must(volume.get(name)) == pattern(1, 300'000)) << name;
             }
           });
}

TEST_F(PowerPromisesTest, what_was_fsynced_is_there_when_the_file_shrank_and_grew_after_it) {
  each_cut(
      nothing,
      [](TestVolume& volume) {
        HandleId handle = volume.create("log");
        EXPECT_DONE(volume.write(handle, 0, pattern(1, 300'000)));
        EXPECT_DONE(volume.sync(handle));
        EXPECT_DONE(volume.truncate("log", 10));
        EXPECT_DONE(volume.write(handle, 10, pattern(2, 200'000)));
        EXPECT_DONE(volume.sync(handle));
        volume.release(handle);
      },
      [](TestVolume& volume) {
        ASSERT_TRUE(volume.exists("log"));
        EXPECT_TRUE(TestVolume::must(volume.get("log")) == pattern(1, 300'000).substr(0, 10) + pattern(2, 200'000));
      });
}

TEST_F(PowerPromisesTest, a_file_that_replaced_another_is_the_old_one_or_the_new_one) {
  each_cut([](TestVolume& volume) { EXPECT_DONE(volume.put("file", pattern(1, 300'000))); },
           [](TestVolume& volume) {
             EXPECT_DONE(volume.put("file.new", pattern(2, 200'000)));
             EXPECT_DONE(volume.rename("file.new", "file"));
           },
           [](TestVolume& volume) {
             ASSERT_TRUE(volume.exists("file"));
             Bytes bytes = TestVolume::must(volume.get("file"));
             EXPECT_TRUE(bytes == pattern(1, 300'000) || bytes == pattern(2, 200'000)) << bytes.size();
           });
}

TEST_F(PowerPromisesTest, an_upload_leaves_no_object_of_a_file_that_the_power_loss_took_back) {
  upload_ = true;
  each_cut(
      nothing,
      [](TestVolume& volume) {
        EXPECT_DONE(volume.put("new", pattern(1, 300'000)));
        while (volume.objects().empty()) volume.drain();
        volume.drain();  // an object has its name before it is safe
      },
      [](TestVolume& volume) { EXPECT_EQ(volume.exists("new"), !volume.objects().empty()); });
}

TEST_F(PowerPromisesTest, a_collected_object_does_not_come_back) {
  upload_ = true;
  each_cut(
      [](TestVolume& volume) {
        EXPECT_DONE(volume.put("old", pattern(1, 300'000)));
        volume.drain();
      },
      [](TestVolume& volume) {
        EXPECT_DONE(volume.unlink("old"));
        volume.collect();
      },
      [](TestVolume& volume) { EXPECT_EQ(volume.objects(), std::vector<std::string>()); });
}

}  // namespace
}  // namespace weir::testing
