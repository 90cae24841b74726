#include <map>
#include <set>

#include "base/log.h"
#include "kv/memory/memory_engine.h"
#include "meta/content_testing.h"
#include "meta/load_chunks.h"
#include "meta/turn_engine.h"

/// The invariant of docs/data-model.md, "Deleting": no object is deleted that a reachable, open or building content
/// names, and no publish succeeds that names a deleted object. Publishers, an uploader, an evictor and the collector
/// take turns at every call of the engine, which loses replies, conflicts, crashes, and loses power.
namespace weir::meta {
namespace {

using ObjectId = std::pair<ChunkId, uint64_t>;

class DeletionModel {
 public:
  explicit DeletionModel(uint64_t seed)
      : random_(seed), turns_(seed * 31 + 7), faulty_(make_memory(), seed), engine_(faulty_, turns_) {
    VolumeSettings settings;
    settings.volume_id = "00112233445566778899aabbccddeeff";
    succeed(Volume::format(faulty_, settings, 0, 0, clock_));
    open_volume();
    for (int i = 0; i < 3; ++i) value_of(make(*volume_, {}, kRootInode, fmt::format("f{}", i), {}));
    succeed(faulty_.barrier());
  }

  void run() {
    for (int life = 0; life < 4 && !::testing::Test::HasFailure(); ++life) {
      faulty_.set_rates({.conflict = 60, .lost_reply = 40, .lost_request = 40});
      if (life < 3) crash_in_ = 20 + random_.below(200);
      turns_.run({[this] { publish_much(0); }, [this] { publish_much(1); }, [this] { upload_all(); },
                  [this] { upload_early(); }, [this] { evict_some(); }, [this] { collect_often(); }});
      faulty_.set_rates({});
      restart();
      expect_invariant();
    }
    settle();
  }

 private:
  std::unique_ptr<kv::Engine> make_memory() {
    auto memory = std::make_unique<kv::MemoryEngine>();
    memory_ = memory.get();
    return memory;
  }
  void open_volume() {
    auto volume = Volume::open(engine_, NodeId{1}, clock_, random_source_);
    if (!volume) check_failed(__FILE__, __LINE__, "open", volume.error().what);
    volume_ = std::move(*volume);
    // Who takes a range of ids holds a lock over calls of the engine, at which the others could not wait for a turn.
    // So the ranges of this life are taken before the turns begin.
    for (const Status& taken :
         {Status(volume_->new_inode_id().map([](auto) {})), Status(volume_->new_page_id().map([](auto) {})),
          Status(volume_->new_serial().map([](auto) {}))})
      if (!taken) check_failed(__FILE__, __LINE__, "take ids", taken.error().what);
  }

  void restart() {
    volume_.reset();
    if (crashed_ && random_.below(2) == 0) {
      memory_->crash(true);
      memory_->reopen();
      lost_power_ = true;
    }
    if (crashed_) faulty_.reopen();
    crashed_ = false;
    bringing_.clear();
    uploads_.clear();
    open_volume();
    // As after any start: what is staged here is uploaded by those who hold it.
    for (const kv::KeyValue& row : rows(keys::kDuty)) {
      const ChunkId id = value_of(keys::parse_duty(row.key)).chunk;
      if (auto record = record_of(id)) uploads_.push_back({id, record->generation});
    }
  }

  /// Now and then a call of the engine is the last one of this life.
  bool alive() {
    if (!crashed_ && crash_in_ != 0 && --crash_in_ == 0) {
      faulty_.crash();
      crashed_ = true;
    }
    return !crashed_;
  }

  std::vector<kv::KeyValue> rows(keys::Tag tag) {
    return value_of(faulty_.inner().begin()->scan(keys::all_of(tag), limits::kScanRows));
  }
  std::optional<ChunkRecord> record_of(const ChunkId& id) {
    auto value = value_of(faulty_.inner().begin()->get(keys::chunk(id)));
    if (!value) return std::nullopt;
    return value_of(ChunkRecord::decode(value->bytes));
  }

  ChunkId any_chunk() { return chunk_named(std::string(1, static_cast<char>('a' + random_.below(6)))); }
  std::string any_file() { return fmt::format("f{}", random_.below(4)); }
  IsOpen is_open() {
    return [this](InodeId id) { return id.value % 2 == 0 && volume_ != nullptr; };
  }

  // What the node does.

  void publish_much(int number) {
    for (int i = 0; i < 12 && alive(); ++i) {
      switch (random_.below(8)) {
        case 0: {
          auto made = make(*volume_, {}, kRootInode, any_file(), {});
          break;
        }
        case 1: {
          auto removed = unlink(*volume_, {}, kRootInode, any_file(), is_open());
          break;
        }
        case 2: {
          auto renamed = rename(*volume_, {}, kRootInode, any_file(), kRootInode, any_file(), {}, is_open());
          break;
        }
        case 3: {
          auto orphans = orphans_of_this_node(*volume_);
          if (orphans && !orphans->empty()) (void)release_orphan(*volume_, {}, orphans->front());
          break;
        }
        default: publish_one(number);
      }
    }
  }

  void publish_one(int) {
    auto inode = lookup(*volume_, kRootInode, any_file());
    if (!inode) return;
    Publish change{.inode = inode->id, .base_generation = inode->generation};
    switch (random_.below(4)) {
      case 0:
        change.inline_bytes = "small";
        change.size = 5;
        break;
      case 1:
        change.replaces = true;
        change.size = (1 + random_.below(3)) * kChunk;
        break;
      case 2:
        change.replaces = true;
        change.size = (65 + random_.below(2)) * kChunk;
        break;
      case 3: change.size = std::max(inode->size / kChunk, uint64_t{1}) * kChunk; break;
    }
    if (!change.inline_bytes) {
      for (uint64_t index = 0; index < chunk_count(change.size); index += 1 + random_.below(3) * random_.below(30))
        change.changes.push_back({index, any_chunk(), random_.below(3) != 0});
    }
    publish_change(change);
  }

  void publish_change(Publish& change) {
    // One chunk is either brought or not; what is brought lies in staging, a copy of its own.
    std::map<ChunkId, bool> brought;
    for (ChangedChunk& chunk : change.changes) chunk.brought = brought.insert({chunk.id, chunk.brought}).first->second;
    for (const auto& [id, brings] : brought) {
      if (!brings) continue;
      ++copies_[id];
      ++bringing_[id];
    }
    auto published = publish(*volume_, {}, change);
    for (const auto& [id, brings] : brought)
      if (brings && !crashed_) --bringing_[id];
    if (!published) {
      const Code code = published.error().code;
      EXPECT_TRUE(code == Code::kUnavailable || code == Code::kNotFound || code == Code::kStale ||
                  code == Code::kInvalid)
          << published.error().what;
      return;
    }
    uploads_.insert(uploads_.end(), published->to_upload.begin(), published->to_upload.end());
    expect_invariant();
  }

  void upload_all() {
    for (int i = 0; i < 30 && alive(); ++i) {
      turns_.yield();
      if (uploads_.empty()) continue;
      const ObjectId object = uploads_.front();
      uploads_.erase(uploads_.begin());
      if (copies_[object.first] == 0) continue;  // the duty was dropped
      put_object(object);
      turns_.yield();
      if (!mark_stored(*volume_, {object})) uploads_.push_back(object);
    }
  }

  /// Chunks of files that are still being written.
  void upload_early() {
    for (int i = 0; i < 8 && alive(); ++i) {
      turns_.yield();
      const ChunkId id = any_chunk();
      auto announced = announce_chunks(*volume_, {{id, kChunk}});
      if (!announced || !(*announced)[0]) continue;
      const ObjectId object{id, *(*announced)[0]};
      turns_.yield();
      if (random_.below(4) == 0) continue;  // it was changed meanwhile
      put_object(object);
      turns_.yield();
      if (random_.below(4) != 0) (void)mark_stored(*volume_, {object});
    }
  }

  void evict_some() {
    for (int i = 0; i < 15 && alive(); ++i) {
      turns_.yield();
      const ChunkId id = any_chunk();
      const int seen = copies_[id];
      if (seen == 0 || bringing_[id] > 0) continue;
      auto records = chunk_records(*volume_, {id});
      if (!records) continue;
      if ((*records)[0] && (*records)[0]->state == ChunkState::kStored) {
        drop_copies(id, seen);
      } else {
        auto wanted = chunk_is_wanted(*volume_, id);
        if (wanted && !*wanted && drop_duty(*volume_, id)) drop_copies(id, seen);
      }
    }
  }

  /// Bytes go only when what decided it survives a power loss.
  void drop_copies(const ChunkId& id, int seen) {
    if (!volume_->engine().barrier()) return;
    copies_[id] -= seen;
    expect_invariant();
  }

  void collect_often() {
    for (int i = 0; i < 4 && alive(); ++i) {
      auto collected = collect(
          *volume_, true,
          [this](std::span<const std::string> names) -> Status {
            for (const std::string& name : names) {
              turns_.yield();
              delete_object(name);
            }
            return {};
          },
          [this](const CollectReport&) { return random_.below(30) != 0; });
      if (!collected) {
        EXPECT_EQ(collected.error().code, Code::kUnavailable) << collected.error().what;
      }
    }
  }

  void put_object(const ObjectId& object) {
    if (deleted_.contains(chunk_object_name(object.first, object.second))) maybe_late_.insert(object);
    store_.insert(object);
  }

  void delete_object(const std::string& name) {
    deleted_.insert(name);
    for (auto object = store_.begin(); object != store_.end(); ++object) {
      if (chunk_object_name(object->first, object->second) != name) continue;
      store_.erase(object);
      break;
    }
    expect_invariant();
  }

  // What must hold at any moment.

  void expect_invariant() {
    for (const ChunkId& id : named_chunks()) {
      auto record = record_of(id);
      if (!record) {
        ADD_FAILURE() << "chunk " << id.hex() << " is named and unknown";
        continue;
      }
      const ObjectId object{id, record->generation};
      const bool stored = record->state == ChunkState::kStored || record->was_stored;
      if (stored) {
        EXPECT_TRUE(store_.contains(object)) << "the object of chunk " << id.hex() << " is gone";
      } else {
        // It may be condemned all the same: a publish that only validates it can come between the collector's scan and
        // its commit. What counts is that its bytes are there until it is decided about.
        EXPECT_TRUE(copies_[id] > 0 || store_.contains(object)) << "nobody has chunk " << id.hex();
      }
    }
  }

  /// By inodes, with a name or open, and by publishes that are being built.
  std::set<ChunkId> named_chunks() {
    std::set<ChunkId> named;
    std::set<PageId> pages;
    for (const kv::KeyValue& row : rows(keys::kInode)) {
      Inode inode = value_of(Inode::decode(InodeId{value_of(keys::parse_number(row.key))}, row.bytes));
      named.insert(inode.content.chunks.begin(), inode.content.chunks.end());
      pages.insert(inode.content.pages.begin(), inode.content.pages.end());
    }
    for (const kv::KeyValue& row : rows(keys::kBuild)) {
      const auto parts = value_of(keys::parse_pair(row.key));
      if (volume_ != nullptr && parts.second < volume_->first_publish()) continue;  // died
      const BuildRow build = value_of(BuildRow::decode(row.bytes));
      pages.insert(build.pages.begin(), build.pages.end());
    }
    for (const kv::KeyValue& row : rows(keys::kPage)) {
      if (!pages.contains(PageId{value_of(keys::parse_number(row.key))})) continue;
      const PageRow page = value_of(PageRow::decode(row.bytes));
      named.insert(page.chunks.begin(), page.chunks.end());
    }
    named.erase(ChunkId());
    return named;
  }

  /// Left alone, everything that is of no use goes, and the rest is consistent.
  void settle() {
    crash_in_ = 0;
    for (InodeId orphan : value_of(orphans_of_this_node(*volume_))) succeed(release_orphan(*volume_, {}, orphan));
    for (int i = 0; i < 2; ++i) {
      for (const ObjectId& object : uploads_) {
        if (copies_[object.first] == 0) continue;
        store_.insert(object);
        succeed(mark_stored(*volume_, {object}));
      }
      uploads_.clear();
      value_of(collect(
          *volume_, true,
          [this](std::span<const std::string> names) -> Status {
            for (const std::string& name : names) delete_object(name);
            return {};
          },
          nullptr));
    }
    value_of(check(
        *volume_, false, [](const Problem& problem) { ADD_FAILURE() << problem.kind << ": " << problem.what; },
        nullptr));
    std::set<ObjectId> expected;
    for (const ChunkId& id : named_chunks()) expected.insert({id, record_of(id)->generation});
    for (const ObjectId& object : store_) {
      if (lost_power_ || maybe_late_.contains(object)) continue;
      EXPECT_TRUE(expected.contains(object)) << "object of chunk " << object.first.hex() << " was forgotten";
    }
  }

  SeededRandom random_;
  SystemRandom random_source_;
  testing::FakeClock clock_;
  Turns turns_;
  kv::MemoryEngine* memory_ = nullptr;
  kv::FaultyEngine faulty_;
  TurnEngine engine_;
  std::unique_ptr<Volume> volume_;

  std::set<ObjectId> store_;
  std::set<std::string> deleted_;
  std::set<ObjectId> maybe_late_;  // uploaded after it was deleted
  std::map<ChunkId, int> copies_;  // of the bytes, on this node
  std::map<ChunkId, int> bringing_;
  std::vector<ObjectId> uploads_;
  uint64_t crash_in_ = 0;
  bool crashed_ = false;
  bool lost_power_ = false;
};

TEST(DeletionModel, NothingThatIsNeededIsDeleted) {
  log::set_level(log::Level::kError);
  log::set_file("/dev/null");
  for (uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    DeletionModel(seed).run();
  }
}

}  // namespace
}  // namespace weir::meta
