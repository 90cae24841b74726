#include "object/directory/directory_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/io.h"
#include "base/limits.h"
#include "testing/fake_clock.h"
#include "testing/temporary_directory.h"

namespace weir::object {
namespace {

namespace fs = std::filesystem;

class DirectoryStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<DirectoryStore> create() { return DirectoryStore::create(path_, "volume 1", clock_).value(); }
  size_t temporaries() const {
    fs::path directory = fs::path(path_) / "temporary";
    if (!fs::exists(directory)) return 0;
    return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
  }

  SystemClock clock_;
  testing::TemporaryDirectory directory_;
  std::string path_ = directory_.file("deep/er/store");
};

TEST_F(DirectoryStoreTest, IsFoundAgainByItsMarker) {
  ASSERT_TRUE(create()->put("a/b", "bytes"));
  auto again = DirectoryStore::open(path_, "volume 1", clock_);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ((*again)->get("a/b", 0, 10).value(), "bytes");
  EXPECT_EQ(DirectoryStore::read_marker(path_).value(), "volume 1");
  EXPECT_TRUE(DirectoryStore::create(path_, "volume 1", clock_)) << "creating it again with its own marker is fine";
}

TEST_F(DirectoryStoreTest, RefusesAnotherVolumesStore) {
  create();
  EXPECT_EQ(DirectoryStore::create(path_, "volume 2", clock_).error().code, Code::kExists);
  auto opened = DirectoryStore::open(path_, "volume 2", clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kInvalid);
  EXPECT_NE(opened.error().what.find("volume 1"), std::string::npos) << opened.error().what;
}

TEST_F(DirectoryStoreTest, RefusesADirectoryWithOtherThingsInIt) {
  ASSERT_TRUE(io::make_directories(path_));
  std::ofstream(path_ + "/thesis.tex") << "dear";
  auto created = DirectoryStore::create(path_, "volume 1", clock_);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, Code::kNotEmpty);
  EXPECT_NE(created.error().what.find("thesis.tex"), std::string::npos);
  EXPECT_FALSE(fs::exists(path_ + "/weir-store"));
}

TEST_F(DirectoryStoreTest, TakesAFreshDiskWithLostAndFound) {
  ASSERT_TRUE(io::make_directories(path_ + "/lost+found"));
  EXPECT_TRUE(DirectoryStore::create(path_, "volume 1", clock_));
}

TEST_F(DirectoryStoreTest, SaysThatAnAbsentOrUnmarkedDirectoryIsUnavailable) {
  EXPECT_EQ(DirectoryStore::read_marker(path_).value(), std::nullopt);
  auto absent = DirectoryStore::open(path_, "volume 1", clock_);
  EXPECT_EQ(absent.error().code, Code::kUnavailable);
  EXPECT_NE(absent.error().what.find(path_), std::string::npos) << absent.error().what;
  ASSERT_TRUE(io::make_directories(path_));
  EXPECT_EQ(DirectoryStore::open(path_, "volume 1", clock_).error().code, Code::kUnavailable);
}

TEST_F(DirectoryStoreTest, SaysThatAFileIsNotAStore) {
  ASSERT_TRUE(io::make_directories(directory_.path()));
  std::ofstream(directory_.file("file")) << "x";
  EXPECT_EQ(DirectoryStore::create(directory_.file("file"), "v", clock_).error().code, Code::kNotDirectory);
}

TEST_F(DirectoryStoreTest, NoticesEverywhereThatItsDirectoryWentAway) {
  auto store = create();
  ASSERT_TRUE(store->put("chunks/aa/1", "x"));
  fs::rename(path_, path_ + ".away");
  auto expect_unavailable = [&](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kUnavailable) << result.error().what;
    EXPECT_NE(result.error().what.find(path_), std::string::npos) << result.error().what;
  };
  for (bool empty_directory : {false, true}) {
    if (empty_directory) fs::create_directory(path_);
    expect_unavailable(store->get("chunks/aa/1", 0, 1));
    expect_unavailable(store->head("chunks/aa/1"));
    expect_unavailable(store->put("chunks/aa/2", "y"));
    expect_unavailable(store->list("", "", 10));
    expect_unavailable(store->remove("chunks/aa/1"));
  }
  EXPECT_TRUE(fs::is_empty(path_)) << "nothing was written below the place where the disk belongs";
  fs::remove(path_);
  fs::rename(path_ + ".away", path_);
  EXPECT_EQ(store->get("chunks/aa/1", 0, 1).value(), "x");
  EXPECT_TRUE(store->put("chunks/aa/2", "y"));
}

TEST_F(DirectoryStoreTest, NeverRemovesFromAStoreThatBecameAnothers) {
  auto store = create();
  ASSERT_TRUE(store->put("a", "x"));
  ASSERT_TRUE(io::write_file_durably(path_ + "/weir-store", "volume 1 restored elsewhere"));
  EXPECT_EQ(store->remove("a").error().code, Code::kInvalid);
  EXPECT_EQ(store->put("a", "z").error().code, Code::kInvalid);
  EXPECT_TRUE(fs::exists(path_ + "/objects/a"));
}

TEST_F(DirectoryStoreTest, ReportsAFullDiskAndLeavesNothingBehind) {
  ASSERT_TRUE(io::make_directories(path_));
  testing::SmallDisk disk(path_, 1 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "needs root, to mount a small disk";
  auto store = create();
  ASSERT_TRUE(store->put("chunks/aa/small", std::string(1000, 's')));
  Status put = store->put("chunks/aa/big", std::string(2 << 20, 'b'));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kNoSpace) << put.error().what;
  EXPECT_FALSE(store->head("chunks/aa/big").value().has_value());
  EXPECT_EQ(temporaries(), 0u);
  EXPECT_TRUE(store->put("chunks/aa/other", std::string(500'000, 'o'))) << "there is room for what fits";
}

TEST_F(DirectoryStoreTest, NoticesThatItsDiskIsNotMountedAnyMore) {
  ASSERT_TRUE(io::make_directories(path_));
  testing::SmallDisk disk(path_, 1 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "needs root, to mount a small disk";
  auto store = create();
  ASSERT_TRUE(store->put("a", "x"));
  disk.unmount();
  EXPECT_EQ(store->put("b", "y").error().code, Code::kUnavailable);
  EXPECT_EQ(store->get("a", 0, 1).error().code, Code::kUnavailable);
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(DirectoryStoreTest, CleansUpTemporaryFilesByAge) {
  create();
  fs::create_directory(path_ + "/temporary");
  std::ofstream(path_ + "/temporary/old") << "left by a process that died";
  testing::FakeClock clock;
  int64_t now_ms = clock_.realtime_ns() / 1'000'000;
  clock.advance_ms(now_ms - testing::FakeClock::kStartNs / 1'000'000);
  ASSERT_TRUE(DirectoryStore::open(path_, "volume 1", clock));
  EXPECT_EQ(temporaries(), 1u) << "it may still be in use";
  clock.advance_ms(limits::kStoreTemporaryAgeMs + 60'000);
  ASSERT_TRUE(DirectoryStore::open(path_, "volume 1", clock));
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(DirectoryStoreTest, MakesDirectoriesAgainThatSomebodyRemoved) {
  auto store = create();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store->put("chunks/aa/1", "x"));
    fs::remove_all(path_ + "/objects");
    fs::remove(path_ + "/temporary");
  }
  Status put = store->put("chunks/aa/2", "y");
  ASSERT_TRUE(put) << put.error().what;
  EXPECT_EQ(store->get("chunks/aa/2", 0, 1).value(), "y");
}

TEST_F(DirectoryStoreTest, NeverLosesAPutWhileDirectoriesVanish) {
  auto store = create();
  std::atomic<bool> stop = false;
  std::thread vandal([&] {
    while (!stop) {
      // rmdir takes them only while they are empty.
      ::rmdir((path_ + "/objects/chunks/aa").c_str());
      ::rmdir((path_ + "/objects/chunks").c_str());
      ::rmdir((path_ + "/temporary").c_str());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    std::string name = fmt::format("chunks/aa/{}", i);
    Status put = store->put(name, name);
    if (put) {
      ++done;
      EXPECT_EQ(store->get(name, 0, 100).value(), name);
      EXPECT_TRUE(store->remove(name));
    } else {
      EXPECT_EQ(put.error().code, Code::kUnavailable) << put.error().what;
    }
  }
  stop = true;
  vandal.join();
  EXPECT_GT(done, 0);
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(DirectoryStoreTest, PassesOverForeignFiles) {
  auto store = create();
  ASSERT_TRUE(store->put("chunks/aa/1", "x"));
  std::ofstream(path_ + "/objects/chunks/.nfs0001") << "x";
  std::ofstream(path_ + "/objects/a file with blanks") << "x";
  fs::create_symlink("/etc", path_ + "/objects/etc");
  auto page = store->list("", "", 100).value();
  ASSERT_EQ(page.objects.size(), 1u);
  EXPECT_EQ(page.objects[0].name, "chunks/aa/1");
}

TEST_F(DirectoryStoreTest, ServesTwoProcessesAtOnce) {
  auto one = create();
  auto two = DirectoryStore::open(path_, "volume 1", clock_).value();
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(two->put(fmt::format("chunks/{:02x}/b", i), "b"));
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(one->put(fmt::format("chunks/{:02x}/a", i), "a"));
  other.join();
  EXPECT_EQ(one->list("", "", 1000).value().objects.size(), 100u);
}

}  // namespace
}  // namespace weir::object
