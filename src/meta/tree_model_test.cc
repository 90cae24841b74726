#include "meta/tree_model.h"

#include "meta/content_testing.h"

namespace weir::meta {
namespace {

/// Random operations, each done on a volume and on the model, from a seed.
class TreeWalk {
 public:
  TreeWalk(EngineKind kind, uint64_t seed)
      : kind_(kind), random_(seed), test_(kind, seed), model_(test_.clock().realtime_ns()) {
    if (random_.below(2) == 0) collide();
  }

  void run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      test_.clock().advance_ms(1);
      model_.set_now(test_.clock().realtime_ns());
      step();
      if (i % 40 == 39) compare();
    }
    compare();
  }

 private:
  using Node = TreeModel::Node;

  Volume& volume() { return test_.volume(); }
  /// Half of the runs have names that all lie close together.
  void collide() {
    colliding_ = true;
    VolumeTesting::make_names_collide(volume(), 7);
  }

  InodeId any_inode() {
    if (random_.below(50) == 0) return InodeId{999999};
    auto it = model_.nodes().begin();
    std::advance(it, static_cast<ptrdiff_t>(random_.below(model_.nodes().size())));
    return it->first;
  }
  InodeId any_directory() {
    for (int i = 0; i < 10; ++i) {
      InodeId id = any_inode();
      Node* node = model_.find(id);
      if (node != nullptr && node->type == FileType::kDirectory) return id;
    }
    return kRootInode;
  }
  std::string any_name() { return std::string(1, static_cast<char>('a' + random_.below(8))); }
  IsOpen is_open() {
    return [this](InodeId id) { return model_.open.contains(id); };
  }

  /// Runs an operation, sometimes with a crash in the middle of it, after which it is sent again as the supervisor
  /// does.
  template <class T>
  Result<T> once(const std::function<Result<T>(RequestId)>& operation) {
    const RequestId request{++requests_};
    const bool crash = test_.faulty() != nullptr && random_.below(10) == 0;
    if (crash)
      test_.faulty()->script({random_.below(2) == 0 ? kv::Fault::kCrashBeforeCommit : kv::Fault::kCrashAfterCommit});
    auto result = operation(request);
    if (!crash) return result;
    if (!result && result.error().code == Code::kUnavailable) {
      restart();
      return operation(request);
    }
    // It failed without a commit: the crash comes now.
    auto transaction = test_.engine().begin();
    transaction->erase("nothing");
    if (!transaction->commit()) restart();
    return result;
  }

  void restart() {
    test_.faulty()->reopen();
    test_.reopen();
    if (colliding_) VolumeTesting::make_names_collide(volume(), 7);
  }

  void step() {
    switch (random_.below(14)) {
      case 0:
      case 1: return make_one(FileType::kFile);
      case 2: return make_one(FileType::kDirectory);
      case 3: return make_one(FileType::kSymlink);
      case 4: return link_one();
      case 5: return unlink_one();
      case 6: return remove_one();
      case 7:
      case 8:
      case 9: return rename_one();
      case 10: return change_one();
      case 11: return publish_one();
      case 12: return open_or_close_one();
      case 13: return collect_some();
    }
  }

  void make_one(FileType type) {
    const InodeId parent = any_directory();
    const std::string name = any_name();
    const uint32_t mode = static_cast<uint32_t>(random_.below(01000));
    auto made = once<Inode>([&](RequestId request) {
      return make(volume(), request, parent, name, {.type = type, .mode = mode, .symlink_target = "target"});
    });
    ASSERT_EQ(outcome(made), model_.may_make(parent, name)) << "make " << name;
    if (made) model_.make(parent, name, made->id, type, type == FileType::kSymlink ? 0777 : mode);
  }

  void link_one() {
    const InodeId id = any_inode(), parent = any_directory();
    const std::string name = any_name();
    auto linked = once<Inode>([&](RequestId request) { return link(volume(), request, id, parent, name); });
    ASSERT_EQ(outcome(linked), model_.link(id, parent, name)) << "link " << id.value << " " << name;
  }

  void unlink_one() {
    const InodeId parent = any_directory();
    const std::string name = any_name();
    auto removed = once<Removed>([&](RequestId request) { return unlink(volume(), request, parent, name, is_open()); });
    ASSERT_EQ(outcome(removed), model_.unlink(parent, name)) << "unlink " << name;
    if (removed) expect_removed(*removed);
  }

  void remove_one() {
    const InodeId parent = any_directory();
    const std::string name = any_name();
    auto removed =
        once<Removed>([&](RequestId request) { return remove_directory(volume(), request, parent, name, is_open()); });
    ASSERT_EQ(outcome(removed), model_.remove_directory(parent, name)) << "rmdir " << name;
    if (removed) expect_removed(*removed);
  }

  void expect_removed(const Removed& removed) { EXPECT_EQ(removed.gone, model_.find(removed.inode.id) == nullptr); }

  void rename_one() {
    const InodeId parent = any_directory(), new_parent = random_.below(2) == 0 ? parent : any_directory();
    const std::string name = any_name(), new_name = any_name();
    RenameFlags flags;
    if (random_.below(4) == 0)
      flags.no_replace = true;
    else if (random_.below(3) == 0)
      flags.exchange = true;
    auto renamed = once<Renamed>([&](RequestId request) {
      return rename(volume(), request, parent, name, new_parent, new_name, flags, is_open());
    });
    ASSERT_EQ(outcome(renamed), model_.rename(parent, name, new_parent, new_name, flags))
        << "rename " << name << " " << new_name;
    if (renamed && renamed->replaced) expect_removed(*renamed->replaced);
  }

  void change_one() {
    const InodeId id = any_inode();
    Node* node = model_.find(id);
    AttributeChange change;
    const bool mode = random_.below(2) == 0;
    if (mode)
      change.mode = static_cast<uint32_t>(random_.below(010000));
    else
      change.mtime_ns = static_cast<int64_t>(random_.next_u64() >> 1);
    auto changed = once<Inode>([&](RequestId request) { return set_attributes(volume(), request, id, change); });
    ASSERT_EQ(outcome(changed), node != nullptr ? "ok" : "not_found");
    if (!changed) return;
    if (mode)
      model_.set_mode(id, *change.mode);
    else
      model_.set_mtime(id, *change.mtime_ns);
    if (random_.below(2) == 0) change_xattr(id, *node);
  }

  void change_xattr(InodeId id, Node& node) {
    const std::string name = "user." + any_name();
    if (random_.below(3) == 0) {
      auto removed = once<Inode>([&](RequestId request) { return remove_xattr(volume(), request, id, name); });
      ASSERT_EQ(outcome(removed), node.xattrs.erase(name) > 0 ? "ok" : "no_attribute");
    } else {
      const Bytes value = any_name();
      auto changed = once<Inode>(
          [&](RequestId request) { return set_xattr(volume(), request, id, name, value, XattrMode::kAny, false); });
      ASSERT_EQ(outcome(changed), "ok");
      node.xattrs[name] = value;
    }
  }

  void publish_one() {
    const InodeId id = any_inode();
    Node* node = model_.find(id);
    if (node == nullptr || node->type != FileType::kFile) return;
    Publish change{.inode = id, .base_generation = value_of(get_inode(volume(), id)).generation};
    switch (random_.below(4)) {
      case 0: change.inline_bytes = std::string(random_.below(100), 'x'); break;
      case 1: change = whole_content_of(id, {any_name(), any_name(), any_name()}); break;
      case 2: {
        change.replaces = true;
        change.size = 66 * kChunk;
        for (uint64_t index = 0; index < 66; index += 1 + random_.below(30))
          change.changes.push_back({index, chunk_named(any_name()), true});
        break;
      }
      case 3: {
        if (node->chunks.empty()) return;
        change.size = node->size;
        change.changes.push_back({random_.below(node->chunks.size()), chunk_named(any_name()), true});
        break;
      }
    }
    if (change.inline_bytes) change.size = change.inline_bytes->size();
    auto published = once<Published>([&](RequestId request) { return publish(volume(), request, change); });
    ASSERT_EQ(outcome(published), "ok") << published.error().what;
    node->ctime_ns = test_.clock().realtime_ns();
    node->size = change.size;
    node->inline_bytes = change.inline_bytes.value_or("");
    if (change.replaces || change.inline_bytes) node->chunks.clear();
    node->chunks.resize(change.inline_bytes ? 0 : chunk_count(change.size));
    for (const ChangedChunk& chunk : change.changes) node->chunks[chunk.index] = chunk.id;
    if (random_.below(2) == 0) succeed(mark_stored(volume(), published->to_upload));
  }

  void open_or_close_one() {
    if (random_.below(5) == 0) {
      auto made =
          once<Inode>([&](RequestId request) { return make_unnamed(volume(), request, kRootInode, {.mode = 0600}); });
      ASSERT_EQ(outcome(made), "ok");
      model_.make_unnamed(made->id, 0600);
      return;
    }
    const InodeId id = any_inode();
    if (model_.find(id) == nullptr || id == kRootInode) return;
    if (model_.open.insert(id).second) return;
    auto released = once<int>([&](RequestId request) -> Result<int> {
      TRY(release_orphan(volume(), request, id));
      return 0;
    });
    ASSERT_EQ(outcome(released), "ok");
    model_.release(id);
  }

  void collect_some() {
    auto collected = collect(
        volume(), random_.below(2) == 0, [](std::span<const std::string>) -> Status { return {}; },
        [&](const CollectReport&) { return random_.below(20) != 0; });
    ASSERT_EQ(outcome(collected), "ok");
  }

  void compare() {
    for (const auto& [id, node] : model_.nodes()) compare_inode(id, node);
    size_t orphans = 0;
    for (const auto& [id, node] : model_.nodes()) orphans += TreeModel::is_nameless(node) ? 1 : 0;
    EXPECT_EQ(value_of(orphans_of_this_node(volume())).size(), orphans);
    auto counts = check(
        volume(), false, [](const Problem& problem) { ADD_FAILURE() << problem.kind << ": " << problem.what; },
        nullptr);
    ASSERT_TRUE(counts) << counts.error().what;
    EXPECT_EQ(counts->inodes, model_.nodes().size());
  }

  void compare_inode(InodeId id, const Node& node) {
    auto found = get_inode(volume(), id);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->type, node.type);
    EXPECT_EQ(found->mode, node.mode);
    if (kind_ != EngineKind::kFaulty) {  // there, the clock moves on while an operation waits
      EXPECT_EQ(found->mtime_ns, node.mtime_ns) << id.value;
      EXPECT_EQ(found->ctime_ns, node.ctime_ns) << id.value;
    }
    std::map<std::string, Bytes> xattrs;
    for (const std::string& name : value_of(list_xattrs(volume(), id)))
      xattrs[name] = value_of(get_xattr(volume(), id, name));
    EXPECT_EQ(xattrs, node.xattrs);
    if (node.type == FileType::kDirectory) return compare_directory(*found, node);
    EXPECT_EQ(found->link_count, node.link_count);
    if (node.type != FileType::kFile) return;
    EXPECT_EQ(found->size, node.size);
    EXPECT_EQ(found->content.inline_bytes, node.inline_bytes);
    if (!node.chunks.empty()) {
      EXPECT_EQ(value_of(load_chunks(volume(), *found)), node.chunks);
    }
  }

  void compare_directory(const Inode& inode, const Node& node) {
    uint32_t subdirectories = 0;
    std::map<std::string, InodeId> entries;
    for (const auto& entry : value_of(read_directory(volume(), inode.id, 0, 1000, false)))
      entries[entry.name] = entry.inode;
    EXPECT_EQ(entries, node.entries) << "directory " << inode.id.value;
    for (const auto& [name, id] : node.entries) {
      if (model_.find(id)->type == FileType::kDirectory) ++subdirectories;
      auto found = lookup(volume(), inode.id, name);
      EXPECT_EQ(outcome(found), "ok") << name;
      if (found) {
        EXPECT_EQ(found->id, id);
      }
    }
    if (node.removed) return;
    EXPECT_EQ(inode.parent, node.parent);
    EXPECT_EQ(inode.size, node.entries.size());
    EXPECT_EQ(inode.link_count, 2 + subdirectories);
  }

  const EngineKind kind_;
  SeededRandom random_;
  TestVolume test_;
  TreeModel model_;
  bool colliding_ = false;
  uint64_t requests_ = 0;
};

class TreeModelTest : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, TreeModelTest, all_engines(), engine_of);

TEST_P(TreeModelTest, AVolumeDoesWhatTheModelDoes) {
  const bool memory = GetParam() == EngineKind::kMemory || GetParam() == EngineKind::kFaulty;
  const uint64_t seeds = memory ? 60 : 4;
  for (uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    TreeWalk(GetParam(), seed).run(memory ? 400 : 250);
  }
}

}  // namespace
}  // namespace weir::meta
