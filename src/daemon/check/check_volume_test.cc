// Every kind of damage to store and cache that check_volume() knows, planted one by one. That of the metadata is in
// meta/check_test.cc.
#include "daemon/check/check_volume.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/io.h"
#include "meta/keys.h"
#include "model/chunk.h"
#include "testing/volume_fixture.h"

namespace weir {
namespace {

using testing::pattern;
using testing::TestVolume;
using Kinds = std::vector<std::string>;

/// A stored file of two chunks, in the cache as an image, and one that is small.
class CheckVolumeTest : public ::testing::Test {
 protected:
  static constexpr size_t kSize = limits::kChunkBytes + 100'000;

  void SetUp() override {
    EXPECT_DONE(volume_.put("file", pattern(1, kSize)));
    EXPECT_DONE(volume_.put("small", pattern(2, 20'000)));
    volume_.drain();
    // From here on nobody mends anything behind the test's back.
    volume_.options().filesystem.upload = false;
    volume_.restart();
    ASSERT_EQ(check(), Kinds());
    ASSERT_EQ(check({.deep = true}), Kinds());
  }

  Kinds check(CheckRequest request = {}) {
    auto result = check_volume(volume_.volume(), volume_.store(), &volume_.cache(), request, {});
    EXPECT_TRUE(result.has_value()) << result.error().what;
    Kinds kinds;
    if (!result) return kinds;
    last_ = result->problems;
    for (const meta::Problem& problem : last_) {
      kinds.push_back(problem.kind);
      EXPECT_GT(problem.what.size(), 20u) << problem.kind;
    }
    return kinds;
  }
  /// The fault shows, as exactly this; mended, it is gone for good.
  void expect_repairable(const std::string& kind, bool deep = false) {
    EXPECT_EQ(check({.deep = deep}), Kinds({kind}));
    EXPECT_TRUE(last_.at(0).repairable);
    EXPECT_FALSE(last_.at(0).repaired);
    EXPECT_EQ(check({.deep = deep, .repair = true}), Kinds({kind}));
    EXPECT_TRUE(last_.at(0).repaired) << last_.at(0).what;
    EXPECT_EQ(check({.deep = deep}), Kinds());
  }
  /// The fault shows, with the path of the file that suffers, and a repair leaves it and says so.
  void expect_beyond_repair(const Kinds& kinds, const std::string& path, bool deep = false) {
    EXPECT_EQ(check({.deep = deep}), kinds);
    EXPECT_EQ(check({.deep = deep, .repair = true}), kinds);
    for (const meta::Problem& problem : last_) {
      EXPECT_FALSE(problem.repaired);
      EXPECT_NE(problem.what.find(path), std::string::npos) << problem.what;
    }
    EXPECT_EQ(check({.deep = deep}), kinds);
  }

  std::string object() { return volume_.objects().at(0); }
  Bytes bytes_of(const std::string& object) {
    return TestVolume::must(volume_.store().get(object, 0, limits::kChunkBytes));
  }
  void damage(const std::string& object) {
    Bytes bytes = bytes_of(object);
    bytes[100] ^= 1;
    EXPECT_DONE(volume_.store().put(object, bytes));
  }
  std::vector<std::string> image_files() {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(volume_.cache_directory() + "/images"))
      if (entry.is_regular_file()) paths.push_back(entry.path());
    return paths;
  }
  /// A file whose chunks are nowhere but in the cache.
  void put_unstored(const std::string& name, uint64_t seed, size_t size) {
    EXPECT_DONE(volume_.put(name, pattern(seed, size)));
  }
  void forget_in_journal() {
    for (const cache::Unstored& record : volume_.cache().unstored(0, SIZE_MAX))
      EXPECT_DONE(volume_.cache().mark_stored(record));
  }

  TestVolume volume_;
  std::vector<meta::Problem> last_;
};

TEST_F(CheckVolumeTest, FindsAMissingObjectAndPutsItAgainFromTheCache) {
  EXPECT_DONE(volume_.store().remove(object()));
  expect_repairable("missing_object");
  EXPECT_EQ(volume_.objects().size(), 3u);
}

TEST_F(CheckVolumeTest, SaysWhichFileLostAnObjectThatIsNowhereElse) {
  volume_.evict();
  for (const std::string& name : volume_.objects())
    if (bytes_of(name).size() == 20'000) EXPECT_DONE(volume_.store().remove(name));
  expect_beyond_repair({"missing_object"}, "/small");
}

TEST_F(CheckVolumeTest, FindsAShortObject) {
  EXPECT_DONE(volume_.store().put(object(), bytes_of(object()).substr(0, 1000)));
  expect_repairable("wrong_object_size");
}

TEST_F(CheckVolumeTest, FindsADamagedObjectOnlyWhenItReadsThem) {
  damage(object());
  EXPECT_EQ(check(), Kinds());
  expect_repairable("corrupt_object", true);
}

TEST_F(CheckVolumeTest, FindsAnObjectThatCannotBeRead) {
  volume_.store().script(object::Operation::kGet, object::Fault::kUnavailable);
  EXPECT_EQ(check({.deep = true}), Kinds({"unreadable_object"}));
  EXPECT_EQ(check({.deep = true}), Kinds());
}

TEST_F(CheckVolumeTest, FindsAnObjectOfNoChunkAndRemovesIt) {
  EXPECT_DONE(volume_.store().put(chunk_object_name(chunk_id_of("nobody's"), 7), "nobody's"));
  expect_repairable("orphan_object");
  EXPECT_EQ(volume_.objects().size(), 3u);
}

TEST_F(CheckVolumeTest, SaysWhichFileHasBytesThatAreNowhere) {
  put_unstored("new", 3, 200'000);
  ASSERT_EQ(check(), Kinds());
  forget_in_journal();
  volume_.evict();
  expect_beyond_repair({"lost_chunk"}, "/new");
}

TEST_F(CheckVolumeTest, FindsBytesThatNobodyWouldUpload) {
  put_unstored("new", 3, 200'000);
  forget_in_journal();
  expect_repairable("forgotten_upload");
  EXPECT_EQ(volume_.objects().size(), 4u);
  EXPECT_EQ(volume_.status("new").state, meta::ContentState::kStored);
}

TEST_F(CheckVolumeTest, FindsAnObjectThatNobodyWouldMarkAsStored) {
  put_unstored("new", 3, 20'000);
  const ChunkId id = chunk_id_of(pattern(3, 20'000));
  auto record = TestVolume::must(meta::chunk_records(volume_.volume(), {id})).at(0);
  ASSERT_TRUE(record.has_value());
  EXPECT_DONE(volume_.store().put(chunk_object_name(id, record->generation), pattern(3, 20'000)));
  ASSERT_EQ(check(), Kinds()) << "the journal still knows it";
  forget_in_journal();
  expect_repairable("forgotten_upload");
}

TEST_F(CheckVolumeTest, FindsADamagedImageOnlyWhenItReadsThem) {
  ASSERT_EQ(image_files().size(), 1u);
  FileDescriptor file = TestVolume::must(io::open_file(image_files()[0], O_RDWR));
  EXPECT_DONE(io::write_at(file.get(), "damage", 1000));
  EXPECT_EQ(check(), Kinds());
  expect_repairable("corrupt_cached_chunk", true);
  EXPECT_EQ(TestVolume::must(volume_.get("file")) == pattern(1, kSize), true);
}

TEST_F(CheckVolumeTest, FindsAnImageThatIsTooShort) {
  ASSERT_EQ(image_files().size(), 1u);
  ASSERT_EQ(::truncate(image_files()[0].c_str(), 1000), 0);
  expect_repairable("wrong_image_size");
  EXPECT_EQ(TestVolume::must(volume_.get("file")) == pattern(1, kSize), true);
}

TEST_F(CheckVolumeTest, FindsFilesAmongTheImagesThatTakeRoomForNothing) {
  const std::string directory = std::filesystem::path(image_files().at(0)).parent_path();
  const std::string name = std::filesystem::path(image_files().at(0)).filename();
  EXPECT_DONE(io::write_file_durably(directory + "/" + std::string(64, name[0] == 'a' ? 'b' : 'a'), "nobody's"));
  expect_repairable("stray_image_file");
  EXPECT_DONE(io::write_file_durably(directory + "/notes", "no image at all"));
  expect_repairable("stray_image_file");
  EXPECT_EQ(image_files().size(), 1u);
}

TEST_F(CheckVolumeTest, FindsWhatIsWrongWithTheMetadataToo) {
  auto transaction = volume_.volume().engine().begin();
  transaction->erase(meta::keys::inode(volume_.inode("small")));
  ASSERT_TRUE(transaction->commit().has_value());
  Kinds kinds = check();
  EXPECT_NE(std::find(kinds.begin(), kinds.end(), "dangling_entry"), kinds.end());
}

TEST_F(CheckVolumeTest, AMountedVolumeIsNotRepaired) {
  auto refused = check_volume(volume_.volume(), volume_.store(), &volume_.cache(), {.repair = true, .live = true}, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kBusy);
}

}  // namespace
}  // namespace weir
