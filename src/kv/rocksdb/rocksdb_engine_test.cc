#include "kv/rocksdb/rocksdb_engine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/io.h"
#include "kv/conformance.h"
#include "testing/temporary_directory.h"

namespace weir::kv {
namespace {

namespace fs = std::filesystem;

class RocksdbEngine : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> open(bool create) {
    Result<std::unique_ptr<Engine>> engine = open_rocksdb(path_, create);
    EXPECT_TRUE(engine) << engine.error().what;
    return engine ? std::move(*engine) : nullptr;
  }
  std::string open_error(bool create) {
    Result<std::unique_ptr<Engine>> engine = open_rocksdb(path_, create);
    return engine ? "ok" : std::string(code_name(engine.error().code)) + ": " + engine.error().what;
  }
  void write_file(const std::string& name, const std::string& text) { std::ofstream(path_ + "/" + name) << text; }

  testing::TemporaryDirectory directory_;
  std::string path_ = directory_.file("metadata");
};

Result<Version> put(Engine& engine, std::string_view key, std::string_view bytes) {
  auto transaction = engine.begin();
  transaction->put(key, bytes);
  return transaction->commit();
}

std::string text(Engine& engine, std::string_view key) {
  auto value = engine.begin()->get(key);
  if (!value) return value.error().what;
  return *value ? (*value)->bytes : "(absent)";
}

TEST_F(RocksdbEngine, says_how_to_create_a_volume_where_there_is_none) {
  EXPECT_EQ(open_error(false),
            fmt::format("not_found: there is no volume at {0}; create one with: weir format {0} --store URL", path_));
  fs::create_directory(path_);
  EXPECT_TRUE(open_error(false).starts_with("not_found: " + path_ + " is empty"));
}

TEST_F(RocksdbEngine, does_not_create_over_a_volume) {
  put(*open(true), "key", "value");
  EXPECT_EQ(open_error(true), fmt::format("exists: there is a volume at {} already", path_));
  EXPECT_EQ(text(*open(false), "key"), "value");
}

TEST_F(RocksdbEngine, leaves_alone_a_directory_with_something_else) {
  fs::create_directory(path_);
  write_file("thesis.tex", "years of work");
  EXPECT_TRUE(open_error(true).starts_with("not_empty: " + path_)) << open_error(true);
  EXPECT_EQ(open_error(false), fmt::format("invalid: {} holds something else than Weir metadata", path_));
  fs::rename(path_ + "/thesis.tex", path_ + "/db");
  EXPECT_TRUE(open_error(true).starts_with("not_empty: " + path_)) << open_error(true);
  EXPECT_TRUE(fs::exists(path_ + "/db"));
}

TEST_F(RocksdbEngine, refuses_a_file_in_place_of_the_directory) {
  std::ofstream(path_) << "text";
  EXPECT_TRUE(open_error(true).starts_with("not_directory: ")) << open_error(true);
  EXPECT_EQ(open_error(false), fmt::format("not_directory: metadata path {} is not a directory", path_));
}

TEST_F(RocksdbEngine, takes_an_empty_directory_and_one_whose_creation_was_interrupted) {
  fs::create_directory(path_);
  ASSERT_TRUE(put(*open(true), "key", "of the interrupted one"));
  fs::remove(path_ + "/format");
  EXPECT_TRUE(open_error(false).starts_with("invalid: "));
  EXPECT_EQ(text(*open(true), "key"), "(absent)");
}

TEST_F(RocksdbEngine, refuses_what_a_newer_weir_made_and_what_is_no_format_at_all) {
  open(true);
  write_file("format", "weir metadata in rocksdb, format 2\n");
  EXPECT_TRUE(open_error(false).starts_with("unsupported: ")) << open_error(false);
  write_file("format", "something\n");
  EXPECT_TRUE(open_error(false).starts_with("invalid: ")) << open_error(false);
}

TEST_F(RocksdbEngine, is_open_once_in_a_process) {
  auto engine = open(true);
  EXPECT_TRUE(open_error(false).starts_with("busy: ")) << open_error(false);
  engine.reset();
  EXPECT_EQ(open_error(false), "ok");
}

/// The parent's path, also in the child that a death test starts anew from its beginning. The child dies without
/// destructors, so it removes `own`, its own directory, here.
std::string path_shared_with_child(const std::string& path, const testing::TemporaryDirectory& own) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  ::setenv("WEIR_KV_TEST_PATH", path.c_str(), 0);
  const std::string shared = std::getenv("WEIR_KV_TEST_PATH");
  if (shared != path) fs::remove_all(own.path());
  return shared;
}

void forget_shared_path() { ::unsetenv("WEIR_KV_TEST_PATH"); }

TEST_F(RocksdbEngine, names_the_process_that_has_it_open) {
  const std::string shared = path_shared_with_child(path_, directory_);
  std::unique_ptr<Engine> engine;
  if (shared == path_) engine = open(true);
  EXPECT_EXIT(
      {
        Result<std::unique_ptr<Engine>> second = open_rocksdb(shared, false);
        std::fputs(second ? "opened" : second.error().what.c_str(), stderr);
        std::_Exit(second || second.error().code != Code::kBusy);
      },
      ::testing::ExitedWithCode(0), fmt::format("in use by process {} ", ::getpid()));
  forget_shared_path();
}

TEST_F(RocksdbEngine, a_commit_survives_the_death_of_the_process) {
  const std::string shared = path_shared_with_child(path_, directory_);
  EXPECT_EXIT(
      {
        Result<std::unique_ptr<Engine>> engine = open_rocksdb(shared, true);
        if (!engine || !put(**engine, "key", "committed")) std::_Exit(1);
        auto unfinished = (*engine)->begin();
        unfinished->put("key", "not committed");
        ::raise(SIGKILL);
      },
      ::testing::KilledBySignal(SIGKILL), "");
  forget_shared_path();
  EXPECT_EQ(text(*open(false), "key"), "committed");
}

/// The one write-ahead log of a database that was just made.
fs::path log_file(const std::string& path) {
  fs::path log;
  for (const auto& entry : fs::directory_iterator(path + "/db")) {
    if (entry.path().extension() == ".log" && entry.file_size() > 0) log = entry.path();
  }
  return log;
}

TEST_F(RocksdbEngine, a_power_loss_keeps_what_was_before_the_barrier_and_never_reuses_versions) {
  auto engine = open(true);
  ASSERT_TRUE(put(*engine, "key", "before"));
  ASSERT_TRUE(engine->barrier());
  const uint64_t durable_bytes = fs::file_size(log_file(path_));
  Result<Version> lost = put(*engine, "key", "after");
  ASSERT_TRUE(lost);
  engine.reset();
  ASSERT_GT(fs::file_size(log_file(path_)), durable_bytes);
  fs::resize_file(log_file(path_), durable_bytes + 3);
  engine = open(false);
  EXPECT_EQ(text(*engine, "key"), "before");
  EXPECT_GT(*put(*engine, "key", "again"), *lost);
}

TEST_F(RocksdbEngine, a_full_disk_is_told_and_writing_goes_on_when_there_is_space) {
  testing::SmallDisk disk(directory_.path(), 96u << 20);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small disk";
  auto engine = open(true);
  ASSERT_TRUE(put(*engine, "key", "value"));
  std::ofstream(directory_.file("ballast")) << std::string(70u << 20, 'b');
  std::string failure;
  for (int i = 0; i < 1000 && failure.empty(); ++i) {
    Result<Version> version = put(*engine, fmt::format("more{}", i), std::string(60'000, 'm'));
    if (!version) failure = outcome(version);
  }
  EXPECT_EQ(failure, "no_space");
  EXPECT_EQ(text(*engine, "key"), "value");
  EXPECT_EQ(outcome(put(*engine, "key", "new")), "no_space");
  // What was written before is made safe, which needs no room. RocksDB would abort.
  Status safe = engine->barrier();
  EXPECT_TRUE(safe) << safe.error().what;
  fs::remove(directory_.file("ballast"));
  Result<Version> version;
  for (int i = 0; i < 100; ++i) {
    version = put(*engine, "key", "new");
    if (version) break;
    ::usleep(100'000);
  }
  EXPECT_TRUE(version) << version.error().what;
  engine.reset();
  engine = open(false);
  EXPECT_EQ(text(*engine, "key"), "new");
  EXPECT_EQ(text(*engine, "more0"), std::string(60'000, 'm'));
}

TEST_F(RocksdbEngine, a_disk_too_small_to_create_on_is_told) {
  testing::SmallDisk disk(directory_.path(), 4096);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small disk";
  EXPECT_TRUE(open_error(true).starts_with("no_space: ")) << open_error(true);
}

TEST_F(RocksdbEngine, a_read_only_disk_is_told) {
  testing::SmallDisk disk(directory_.path(), 24u << 20);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small disk";
  open(true);
  ASSERT_EQ(::mount(nullptr, directory_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_TRUE(open_error(false).starts_with("read_only: cannot open the metadata in " + path_)) << open_error(false);
  path_ = directory_.file("another");
  EXPECT_TRUE(open_error(true).starts_with("read_only: cannot create a volume at " + path_)) << open_error(true);
}

TEST_F(RocksdbEngine, a_damaged_database_is_told) {
  put(*open(true), "key", "value");
  std::ofstream(path_ + "/db/CURRENT") << "MANIFEST-999999\n";
  EXPECT_NE(open_error(false), "ok");
  EXPECT_NE(open_error(false).find(path_), std::string::npos);
}

}  // namespace
}  // namespace weir::kv
