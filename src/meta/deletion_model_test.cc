#include <map>
#include <set>

#include "base/log.h"
#include "kv/memory/memory_engine.h"
#include "meta/content_testing.h"
#include "meta/load_chunks.h"
#include "meta/turn_engine.h"
#include "model/node_info.h"

/// The invariant of docs/data-model.md, "Deleting": no object is deleted that a reachable, open or building content
/// names, and no publish succeeds that names a deleted object. On each of several nodes publishers, an uploader, an
/// evictor and the collector take turns at every call of the engine, which loses replies, conflicts, crashes, and loses
/// power; now and then a node is found dead by others, and comes back.
namespace weir::meta {
namespace {

using ObjectId = std::pair<ChunkId, uint64_t>;

class DeletionModel {
 public:
  DeletionModel(uint64_t seed, uint32_t nodes)
      : random_(seed), turns_(seed * 31 + 7), faulty_(make_memory(), seed), engine_(faulty_, turns_), nodes_(nodes) {
    for (uint32_t i = 0; i < nodes; ++i) nodes_[i].id = NodeId{i + 1};
    VolumeSettings settings;
    settings.volume_id = "00112233445566778899aabbccddeeff";
    succeed(Volume::format(faulty_, settings, 0, 0, clock_));
    open_volumes();
    for (int i = 0; i < 3; ++i) value_of(make(*nodes_[0].volume, {}, kRootInode, fmt::format("f{}", i), {}));
    succeed(faulty_.barrier());
  }

  void run() {
    for (int life = 0; life < 4 && !::testing::Test::HasFailure(); ++life) {
      faulty_.set_rates({.conflict = 60, .lost_reply = 40, .lost_request = 40});
      if (life < 3) crash_in_ = 20 + random_.below(200);
      turns_.run(jobs());
      faulty_.set_rates({});
      restart();
      expect_invariant();
    }
    settle();
  }

 private:
  struct Node {
    NodeId id;
    std::unique_ptr<Volume> volume{};
    std::map<ChunkId, int> copies{};  // of the bytes, on this node
    std::map<ChunkId, int> bringing{};
    std::vector<ObjectId> uploads{};
    uint64_t fencings = 0;
  };

  std::vector<std::function<void()>> jobs() {
    std::vector<std::function<void()>> jobs;
    for (Node& node : nodes_) {
      for (int publishers = 0; publishers < (nodes_.size() > 1 ? 1 : 2); ++publishers)
        jobs.emplace_back([this, &node] { publish_much(node); });
      jobs.emplace_back([this, &node] { upload_all(node); });
      jobs.emplace_back([this, &node] { upload_early(node); });
      jobs.emplace_back([this, &node] { evict_some(node); });
      jobs.emplace_back([this, &node] { collect_often(node); });
    }
    if (nodes_.size() > 1) jobs.emplace_back([this] { fence_some(); });
    return jobs;
  }

  std::unique_ptr<kv::Engine> make_memory() {
    auto memory = std::make_unique<kv::MemoryEngine>();
    memory_ = memory.get();
    return memory;
  }
  void open_volumes() {
    for (Node& node : nodes_) {
      auto volume = Volume::open(engine_, node.id, clock_, random_source_);
      if (!volume) check_failed(__FILE__, __LINE__, "open", volume.error().what);
      node.volume = std::move(*volume);
      // Who takes a range of ids holds a lock over calls of the engine, at which the others could not wait for a turn.
      // So the ranges of this life are taken before the turns begin.
      for (const Status& taken :
           {Status(node.volume->new_inode_id().map([](auto) {})), Status(node.volume->new_page_id().map([](auto) {})),
            Status(node.volume->new_serial().map([](auto) {}))})
        if (!taken) check_failed(__FILE__, __LINE__, "take ids", taken.error().what);
      if (nodes_.size() == 1) continue;
      succeed(become_member(node));
      node.volume->on_fenced([this, &node] { return become_member(node); });
    }
  }

  /// As NodeLease does it.
  Status become_member(Node& node) {
    for (;;) {
      auto transaction = engine_.begin();
      ASSIGN_OR_RETURN(auto row, transaction->get(keys::node(node.id)));
      NodeInfo info;
      if (row) {
        ASSIGN_OR_RETURN(info, NodeInfo::decode(row->bytes));
      }
      if (info.fenced) ++node.fencings;
      ++info.epoch;
      info.active = true;
      info.fenced = false;
      transaction->put(keys::node(node.id), info.encode());
      auto version = transaction->commit();
      if (version) {
        node.volume->join({info.epoch, *version, node.fencings});
        return {};
      }
      const Code code = version.error().code;
      if (code != Code::kConflict && code != Code::kMaybeCommitted) return Failure(version.error());
    }
  }

  /// As Members does it.
  void fence_some() {
    for (int i = 0; i < 6 && alive(); ++i) {
      for (uint64_t pause = random_.below(20); pause > 0; --pause) turns_.yield();
      const NodeId victim = nodes_[random_.below(nodes_.size())].id;
      auto transaction = engine_.begin();
      auto row = transaction->get(keys::node(victim));
      if (!row || !*row) continue;
      NodeInfo info = value_of(NodeInfo::decode((*row)->bytes));
      if (!info.active) continue;
      ++info.epoch;
      info.active = false;
      info.fenced = true;
      transaction->put(keys::node(victim), info.encode());
      (void)transaction->commit();
    }
  }

  void restart() {
    for (Node& node : nodes_) node.volume.reset();
    if (crashed_ && random_.below(2) == 0) {
      memory_->crash(true);
      memory_->reopen();
      lost_power_ = true;
    }
    if (crashed_) faulty_.reopen();
    crashed_ = false;
    for (Node& node : nodes_) {
      node.bringing.clear();
      node.uploads.clear();
    }
    open_volumes();
    // As after any start: what is staged on a node is uploaded by it.
    for (const kv::KeyValue& row : rows(keys::kDuty)) {
      const keys::DutyKey duty = value_of(keys::parse_duty(row.key));
      if (auto record = record_of(duty.chunk))
        nodes_[duty.node.value - 1].uploads.push_back({duty.chunk, record->generation});
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
    return [](InodeId id) { return id.value % 2 == 0; };
  }

  // What the node does.

  void publish_much(Node& node) {
    for (int i = 0; i < 12 && alive(); ++i) {
      switch (random_.below(8)) {
        case 0: {
          auto made = make(*node.volume, {}, kRootInode, any_file(), {});
          break;
        }
        case 1: {
          auto removed = unlink(*node.volume, {}, kRootInode, any_file(), is_open());
          break;
        }
        case 2: {
          auto renamed = rename(*node.volume, {}, kRootInode, any_file(), kRootInode, any_file(), {}, is_open());
          break;
        }
        case 3: {
          auto orphans = orphans_of_this_node(*node.volume);
          if (orphans && !orphans->empty()) (void)release_orphan(*node.volume, {}, orphans->front());
          break;
        }
        default: publish_one(node);
      }
    }
  }

  void publish_one(Node& node) {
    auto inode = lookup(*node.volume, kRootInode, any_file());
    if (!inode) return;
    Publish change{.inode = inode->id, .base_generation = inode->generation};
    change.fencings = node.volume->membership().fencings;
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
    publish_change(node, change);
  }

  void publish_change(Node& node, Publish& change) {
    // One chunk is either brought or not; what is brought lies in staging, a copy of its own.
    std::map<ChunkId, bool> brought;
    for (ChangedChunk& chunk : change.changes) chunk.brought = brought.insert({chunk.id, chunk.brought}).first->second;
    for (const auto& [id, brings] : brought) {
      if (!brings) continue;
      ++node.copies[id];
      ++node.bringing[id];
    }
    auto published = publish(*node.volume, {}, change);
    for (const auto& [id, brings] : brought)
      if (brings && !crashed_) --node.bringing[id];
    if (!published) {
      const Code code = published.error().code;
      EXPECT_TRUE(code == Code::kUnavailable || code == Code::kNotFound || code == Code::kStale ||
                  code == Code::kInvalid || code == Code::kFenced)
          << published.error().what;
      return;
    }
    node.uploads.insert(node.uploads.end(), published->to_upload.begin(), published->to_upload.end());
    expect_invariant();
  }

  void upload_all(Node& node) {
    for (int i = 0; i < 30 && alive(); ++i) {
      turns_.yield();
      if (node.uploads.empty()) continue;
      const ObjectId object = node.uploads.front();
      node.uploads.erase(node.uploads.begin());
      if (node.copies[object.first] == 0) continue;  // the duty was dropped
      put_object(object);
      turns_.yield();
      if (!mark_stored(*node.volume, {object})) node.uploads.push_back(object);
    }
  }

  /// Chunks of files that are still being written.
  void upload_early(Node& node) {
    for (int i = 0; i < 8 && alive(); ++i) {
      turns_.yield();
      const ChunkId id = any_chunk();
      auto announced = announce_chunks(*node.volume, {{id, kChunk}});
      if (!announced || !(*announced)[0]) continue;
      const ObjectId object{id, *(*announced)[0]};
      turns_.yield();
      if (random_.below(4) == 0) continue;  // it was changed meanwhile
      put_object(object);
      turns_.yield();
      if (random_.below(4) != 0) (void)mark_stored(*node.volume, {object});
    }
  }

  void evict_some(Node& node) {
    for (int i = 0; i < 15 && alive(); ++i) {
      turns_.yield();
      const ChunkId id = any_chunk();
      const int seen = node.copies[id];
      if (seen == 0 || node.bringing[id] > 0) continue;
      auto records = chunk_records(*node.volume, {id});
      if (!records) continue;
      if ((*records)[0] && (*records)[0]->state == ChunkState::kStored) {
        drop_copies(node, id, seen);
      } else {
        auto wanted = chunk_is_wanted(*node.volume, id);
        if (wanted && !*wanted && drop_duty(*node.volume, id)) drop_copies(node, id, seen);
      }
    }
  }

  /// Bytes go only when what decided it survives a power loss.
  void drop_copies(Node& node, const ChunkId& id, int seen) {
    if (!node.volume->engine().barrier()) return;
    node.copies[id] -= seen;
    expect_invariant();
  }

  void collect_often(Node& node) {
    for (int i = 0; i < 4 && alive(); ++i) {
      auto collected = collect(
          *node.volume, true,
          [this](std::span<const std::string> names) -> Status {
            for (const std::string& name : names) {
              turns_.yield();
              delete_object(name);
            }
            return {};
          },
          [this](const CollectReport&) { return random_.below(30) != 0; });
      if (!collected) {
        const Code code = collected.error().code;
        EXPECT_TRUE(code == Code::kUnavailable || code == Code::kBusy || code == Code::kFenced)
            << collected.error().what;
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
        EXPECT_TRUE(copies_of(id) > 0 || store_.contains(object)) << "nobody has chunk " << id.hex();
      }
    }
  }

  int copies_of(const ChunkId& id) {
    int copies = 0;
    for (Node& node : nodes_) copies += node.copies[id];
    return copies;
  }

  bool is_dead_build(const keys::PairKey& build) {
    const Node& node = nodes_[build.first - 1];
    return node.volume != nullptr && build.second < node.volume->first_publish();
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
      if (is_dead_build(parts)) continue;
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
    for (Node& node : nodes_)
      for (InodeId orphan : value_of(orphans_of_this_node(*node.volume)))
        succeed(release_orphan(*node.volume, {}, orphan));
    for (int i = 0; i < 2; ++i) {
      for (Node& node : nodes_) settle(node);
    }
    value_of(check(
        *nodes_[0].volume, false, [](const Problem& problem) { ADD_FAILURE() << problem.kind << ": " << problem.what; },
        nullptr));
    std::set<ObjectId> expected;
    for (const ChunkId& id : named_chunks()) expected.insert({id, record_of(id)->generation});
    for (const ObjectId& object : store_) {
      if (lost_power_ || maybe_late_.contains(object)) continue;
      EXPECT_TRUE(expected.contains(object)) << "object of chunk " << object.first.hex() << " was forgotten";
    }
  }

  void settle(Node& node) {
    for (const ObjectId& object : node.uploads) {
      if (node.copies[object.first] == 0) continue;
      store_.insert(object);
      succeed(mark_stored(*node.volume, {object}));
    }
    node.uploads.clear();
    value_of(collect(
        *node.volume, true,
        [this](std::span<const std::string> names) -> Status {
          for (const std::string& name : names) delete_object(name);
          return {};
        },
        nullptr));
  }

  SeededRandom random_;
  SystemRandom random_source_;
  testing::FakeClock clock_;
  Turns turns_;
  kv::MemoryEngine* memory_ = nullptr;
  kv::FaultyEngine faulty_;
  TurnEngine engine_;
  std::vector<Node> nodes_;

  std::set<ObjectId> store_;
  std::set<std::string> deleted_;
  std::set<ObjectId> maybe_late_;  // uploaded after it was deleted
  uint64_t crash_in_ = 0;
  bool crashed_ = false;
  bool lost_power_ = false;
};

void run_seeds(uint64_t seeds, uint32_t nodes) {
  log::set_level(log::Level::kError);
  log::set_file("/dev/null");
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    DeletionModel(seed, nodes).run();
  }
}

TEST(DeletionModel, NothingThatIsNeededIsDeleted) { run_seeds(300, 1); }

TEST(DeletionModel, NothingThatOneOfSeveralNodesNeedsIsDeleted) { run_seeds(200, 3); }

}  // namespace
}  // namespace weir::meta
