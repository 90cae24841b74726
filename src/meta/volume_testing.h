#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "kv/faulty/faulty_engine.h"
#include "meta/attributes.h"
#include "meta/check.h"
#include "meta/collect.h"
#include "meta/content.h"
#include "meta/directory.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/volume.h"
#include "model/chunk.h"
#include "testing/fake_clock.h"
#include "testing/postgres_server.h"
#include "testing/temporary_directory.h"

/// What the tests of this folder share.
namespace weir::meta {

struct VolumeTesting {
  /// Leaves so few hashes that names collide.
  static void make_names_collide(Volume& volume, uint64_t mask) { volume.name_hash_mask_ = mask; }
};

enum class EngineKind { kMemory, kFaulty, kRocksdb, kPostgres };

inline std::string engine_name(EngineKind kind) {
  switch (kind) {
    case EngineKind::kMemory: return "memory";
    case EngineKind::kFaulty: return "faulty";
    case EngineKind::kRocksdb: return "rocksdb";
    case EngineKind::kPostgres: return "postgres";
  }
  return "";
}

inline std::unique_ptr<kv::Engine> open_or_abort(const std::string& url, bool create) {
  auto engine = kv::open_engine(url, create, keys::layout());
  if (!engine) check_failed(__FILE__, __LINE__, "open_engine", engine.error().what);
  return std::move(*engine);
}

/// A database that all tests of this program share one after another, because making one takes long.
class SharedDatabase {
 public:
  explicit SharedDatabase(std::string url) : url_(std::move(url)), engine_(open_or_abort(url_, true)) {}
  kv::Engine& engine() { return *engine_; }
  void reopen() {
    engine_.reset();
    engine_ = open_or_abort(url_, false);
  }
  void wipe() {
    for (;;) {
      auto transaction = engine_->begin();
      auto rows = transaction->scan({}, 1000);
      if (!rows) check_failed(__FILE__, __LINE__, "scan", rows.error().what);
      if (rows->empty()) return;
      for (const kv::KeyValue& row : *rows) transaction->erase(row.key);
      if (auto version = transaction->commit(); !version)
        check_failed(__FILE__, __LINE__, "commit", version.error().what);
    }
  }

  static SharedDatabase& rocksdb() {
    static testing::TemporaryDirectory directory;
    static SharedDatabase database(directory.file("metadata"));
    return database;
  }
  static SharedDatabase& postgres() {
    static auto server = testing::PostgresServer::start();
    if (!server) check_failed(__FILE__, __LINE__, "PostgresServer::start", server.error().what);
    static SharedDatabase database((*server)->url("schema=meta"));
    return database;
  }

 private:
  const std::string url_;
  std::unique_ptr<kv::Engine> engine_;
};

/// An empty volume. kFaulty: memory where one commit in five meets a conflict or a lost reply or request, from a seed.
class TestVolume {
 public:
  explicit TestVolume(EngineKind kind, uint64_t seed = 1) {
    switch (kind) {
      case EngineKind::kMemory: engine_ = open_or_abort("memory:", true); break;
      case EngineKind::kFaulty: {
        auto faulty =
            std::make_unique<kv::FaultyEngine>(open_or_abort("memory:", true), seed,
                                               kv::FaultRates{.conflict = 100, .lost_reply = 50, .lost_request = 50});
        faulty_ = faulty.get();
        engine_ = std::move(faulty);
        break;
      }
      case EngineKind::kRocksdb: shared_ = &SharedDatabase::rocksdb(); break;
      case EngineKind::kPostgres: shared_ = &SharedDatabase::postgres(); break;
    }
    if (shared_ != nullptr) shared_->wipe();
    VolumeSettings settings;
    settings.volume_id = "00112233445566778899aabbccddeeff";
    settings.name_hash_key[0] = 17;
    settings.name_hash_key[1] = 4;
    auto formatted = Volume::format(engine(), settings, 0, 0, clock_);
    if (!formatted) check_failed(__FILE__, __LINE__, "format", formatted.error().what);
    open();
  }

  Volume& volume() { return *volume_; }
  kv::Engine& engine() { return shared_ != nullptr ? shared_->engine() : *engine_; }
  testing::FakeClock& clock() { return clock_; }
  /// Null but for kFaulty.
  kv::FaultyEngine* faulty() { return faulty_; }

  /// As after the death of the process: what was committed stays.
  void reopen() {
    volume_.reset();
    if (shared_ != nullptr) shared_->reopen();
    open();
  }

 private:
  void open() {
    auto volume = Volume::open(engine(), NodeId{1}, clock_, random_);
    if (!volume) check_failed(__FILE__, __LINE__, "Volume::open", volume.error().what);
    volume_ = std::move(*volume);
  }

  testing::FakeClock clock_;
  SystemRandom random_;
  std::unique_ptr<kv::Engine> engine_;
  SharedDatabase* shared_ = nullptr;
  kv::FaultyEngine* faulty_ = nullptr;
  std::unique_ptr<Volume> volume_;
};

/// "ok" or the name of the error's code, for comparisons that print well.
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : std::string(code_name(result.error().code));
}

/// The value; aborts with the error when there is none.
template <class T>
T value_of(Result<T> result) {
  if (!result) check_failed(__FILE__, __LINE__, "result", result.error().what);
  return std::move(*result);
}
inline void succeed(Status status) {
  if (!status) check_failed(__FILE__, __LINE__, "status", status.error().what);
}

inline bool nothing_open(InodeId) { return false; }
inline bool all_open(InodeId) { return true; }

/// Tests of operations, on every engine.
class VolumeTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  Volume& volume() { return test_.volume(); }

  Inode make_file(std::string_view name, InodeId parent = kRootInode) {
    return value_of(make(volume(), {}, parent, name, {.type = FileType::kFile, .mode = 0644}));
  }
  Inode make_directory(std::string_view name, InodeId parent = kRootInode) {
    return value_of(make(volume(), {}, parent, name, {.type = FileType::kDirectory, .mode = 0755}));
  }
  /// What is known of a directory without a look at the engine agrees with that.
  Inode inode(InodeId id) {
    const std::optional<Inode> recent = recent_directory(volume(), id);
    Inode now = value_of(get_inode(volume(), id));
    if (recent) {
      EXPECT_EQ(recent->encode(), now.encode());
    }
    return now;
  }
  std::string lookup_outcome(std::string_view name, InodeId parent = kRootInode) {
    return outcome(lookup(volume(), parent, name));
  }
  /// Names in a directory, sorted.
  std::vector<std::string> names(InodeId directory = kRootInode) {
    std::vector<std::string> result;
    for (auto& entry : value_of(read_directory(volume(), directory, 0, 10000, false))) result.push_back(entry.name);
    std::sort(result.begin(), result.end());
    return result;
  }

  TestVolume test_{GetParam()};
};

inline auto all_engines() {
  return ::testing::Values(EngineKind::kMemory, EngineKind::kFaulty, EngineKind::kRocksdb, EngineKind::kPostgres);
}
inline std::string engine_of(const ::testing::TestParamInfo<EngineKind>& info) { return engine_name(info.param); }

}  // namespace weir::meta
