#include "cache/database.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/io.h"
#include "testing/temporary_directory.h"

namespace weir::cache {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  void open() { database_ = Database::open(directory_.file("db"), memory_).value(); }
  void SetUp() override { open(); }
  void put(std::string_view key, std::string_view value, Log log = Log::kProcess) {
    Batch batch;
    batch.put(key, value);
    ASSERT_TRUE(database_->write(batch, log));
  }
  /// There may be a pause between two attempts.
  bool write_in_time() {
    for (int i = 0; i < 100; ++i) {
      Batch batch;
      batch.put("later", "value");
      if (database_->write(batch, Log::kProcess)) return database_->get("later").value() == "value";
      ::usleep(50'000);
    }
    return false;
  }

  weir::testing::TemporaryDirectory directory_;
  DatabaseMemory memory_{uint64_t{1} << 40};
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, a_batch_is_made_as_a_whole_and_survives) {
  Batch batch;
  EXPECT_TRUE(batch.empty());
  batch.put("a", "1");
  batch.put("b", Bytes(50'000, 'b'));
  batch.erase("a");
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(database_->write(batch, Log::kProcess));
  ASSERT_TRUE(database_->sync_log());
  put("c", "3", Log::kNone);
  database_.reset();
  open();
  EXPECT_EQ(database_->get("a").value(), std::nullopt);
  EXPECT_EQ(database_->get("b").value(), Bytes(50'000, 'b'));
  EXPECT_EQ(database_->get("c").value(), "3");
}

TEST_F(DatabaseTest, a_scan_gives_what_begins_with_the_prefix_in_order) {
  for (std::string_view key : {"a", "ba", "bc", "bb", "c"}) put(key, key);
  std::vector<Bytes> keys;
  ASSERT_TRUE(database_->scan("b", "bb", [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  }));
  EXPECT_EQ(keys, (std::vector<Bytes>{"bb", "bc"}));
  size_t seen = 0;
  ASSERT_TRUE(database_->scan("b", "b", [&](std::string_view, std::string_view) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2u);
}

TEST_F(DatabaseTest, writes_succeed_again_when_a_full_disk_has_room) {
  database_.reset();
  const std::string disk = directory_.file("disk");
  std::filesystem::create_directory(disk);
  weir::testing::SmallDisk small(disk, 24u << 20);
  if (!small.mounted()) GTEST_SKIP() << "mounting a disk needs root";
  database_ = Database::open(disk + "/db", memory_).value();
  Status full;
  for (int i = 0; i < 2000 && full; ++i) {
    Batch batch;
    batch.put("key" + std::to_string(i), Bytes(60'000, 'x'));
    full = database_->write(batch, Log::kProcess);
  }
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kNoSpace) << full.error().what;
  ASSERT_TRUE(small.mounted());
  EXPECT_EQ(database_->get("key0").value(), Bytes(60'000, 'x'));
  // More room: the same disk, made larger.
  ASSERT_EQ(::system(("mount -o remount,size=128m " + disk).c_str()), 0);
  EXPECT_TRUE(write_in_time()) << "still full";
  database_.reset();
}

TEST_F(DatabaseTest, a_disk_that_is_full_again_when_it_is_opened_is_said_to_be_full_and_is_read) {
  database_.reset();
  const std::string disk = directory_.file("disk");
  std::filesystem::create_directory(disk);
  weir::testing::SmallDisk small(disk, 24u << 20);
  if (!small.mounted()) GTEST_SKIP() << "mounting a disk needs root";
  memory_.write_buffer_bytes = 64 << 10;  // twice that must be free before it tries
  database_ = Database::open(disk + "/db", memory_).value();
  // More in the log than there will be room for when it is replayed; nothing that could be compressed.
  Bytes noise(1 << 20, '\0');
  uint64_t state = 1;
  for (char& byte : noise)
    byte = static_cast<char>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
  Batch first;
  first.put("key", noise);
  ASSERT_TRUE(database_->write(first, Log::kProcess));
  FileDescriptor file = io::open_file(disk + "/filler", O_RDWR | O_CREAT).value();
  uint64_t size = 0;
  for (; io::write_at(file.get(), Bytes(4096, 'x'), size); size += 4096) continue;
  Batch batch;
  for (int i = 0; i < 100; ++i) batch.put("key" + std::to_string(i), Bytes(100'000, 'x'));
  ASSERT_EQ(database_->write(batch, Log::kProcess).error().code, Code::kNoSpace);
  // It seems to have room, and has not.
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(size - (160 << 10))), 0);
  for (int i = 0; i < 5; ++i) {
    Status refused = database_->write(batch, Log::kProcess);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kNoSpace) << refused.error().what;
    EXPECT_EQ(database_->get("key").value(), noise);
  }
  file.reset();
  std::filesystem::remove(disk + "/filler");
  EXPECT_TRUE(write_in_time());
  EXPECT_EQ(database_->get("key").value(), noise);
  database_.reset();
}

TEST_F(DatabaseTest, a_log_that_met_a_full_disk_at_its_first_record_is_no_trap) {
  database_.reset();
  const std::string disk = directory_.file("disk");
  std::filesystem::create_directory(disk);
  weir::testing::SmallDisk small(disk, 64u << 20);
  if (!small.mounted()) GTEST_SKIP() << "mounting a disk needs root";
  database_ = Database::open(disk + "/db", memory_).value();
  const std::string filler = disk + "/filler";
  for (int round = 0; round < 2; ++round) {
    FileDescriptor file = io::open_file(filler, O_RDWR | O_CREAT).value();
    for (uint64_t offset = 0; io::write_at(file.get(), Bytes(4096, 'x'), offset); offset += 4096) continue;
    // More than RocksDB has reserved for its log by then.
    Batch batch;
    for (int i = 0; i < 100; ++i) batch.put("key" + std::to_string(i), Bytes(100'000, 'x'));
    for (int i = 0; i < 3; ++i) {
      Status full = database_->write(batch, Log::kProcess);
      ASSERT_FALSE(full);
      EXPECT_EQ(full.error().code, Code::kNoSpace) << full.error().what;
    }
    // Longer than RocksDB takes to see that there is room.
    std::filesystem::remove(filler);
    file.reset();
    if (round == 1) ::sleep(6);
    EXPECT_TRUE(write_in_time());
  }
  database_.reset();
}

/// Writes and erases values of all sizes until `over`, and counts what is refused for want of room.
void write_all_the_time(Database& database, uint64_t seed, const std::atomic<bool>& over,
                        std::atomic<uint64_t>& refused) {
  for (uint64_t i = 0; !over; ++i) {
    Batch batch;
    const Bytes key = fmt::format("{}-{}", seed, i % 40);
    batch.put(key, Bytes(i * 7919 % 70'000, 'x'));
    batch.erase(fmt::format("{}-{}", seed, (i + 20) % 40));
    Status written = database.write(batch, Log::kProcess);
    if (written) continue;
    EXPECT_EQ(written.error().code, Code::kNoSpace) << written.error().what;
    ++refused;
    ::usleep(1000);
  }
}

TEST_F(DatabaseTest, a_disk_that_is_filled_and_freed_all_the_time_ends_nothing) {
  database_.reset();
  const std::string disk = directory_.file("disk");
  std::filesystem::create_directory(disk);
  weir::testing::SmallDisk small(disk, 48u << 20);
  if (!small.mounted()) GTEST_SKIP() << "mounting a disk needs root";
  DatabaseMemory memory(48u << 20);
  database_ = Database::open(disk + "/db", memory).value();
  std::atomic<bool> over = false;
  std::atomic<uint64_t> refused = 0;
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed)
    threads.emplace_back([&, seed] { write_all_the_time(*database_, seed, over, refused); });
  threads.emplace_back([&] {
    while (!over) {
      (void)database_->sync_log();
      (void)database_->get("0-1");
    }
  });
  const char* seconds = std::getenv("WEIR_TEST_STRESS_SECONDS");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 8);
  for (uint64_t round = 0; std::chrono::steady_clock::now() < end; ++round) {
    FileDescriptor file = io::open_file(disk + "/filler", O_RDWR | O_CREAT).value();
    for (uint64_t size = 0; io::write_at(file.get(), Bytes(4096, 'x'), size); size += 4096) continue;
    ::usleep(static_cast<useconds_t>(round * 37'000 % 400'000));
    std::filesystem::remove(disk + "/filler");
    file.reset();
    ::usleep(static_cast<useconds_t>(round * 91'000 % 700'000));
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(refused, 0u) << "the disk was never full";
  EXPECT_TRUE(write_in_time());
  database_.reset();
}

}  // namespace
}  // namespace weir::cache
