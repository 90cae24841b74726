#include "meta/check.h"

#include <set>

#include "meta/acl.h"
#include "meta/content_testing.h"
#include "meta/entries.h"

namespace weir::meta {
namespace {

using Kinds = std::vector<std::string>;

/// A volume with something of everything, into which each test plants one fault.
class CheckTest : public ContentTest {
 protected:
  void SetUp() override {
    if (test_.faulty() != nullptr) test_.faulty()->set_rates({});
    directory_ = make_directory("d");
    nested_ = make_directory("nested", directory_.id);
    for (int i = 0; i < 5; ++i) make_file(fmt::format("file{}", i), nested_.id);
    inline_ = make_file("inline", directory_.id);
    publish_bytes(inline_.id, "hello");
    chunks_ = make_file("chunks", directory_.id);
    publish_chunks(chunks_.id, {"x", "old"});
    store(change_chunk(chunks_.id, 1, "y"));  // "old" is superseded and staged, "y" stored
    pages_ = make_file("pages");
    Publish many{.inode = pages_.id, .replaces = true, .size = 70 * kChunk};
    for (uint64_t index = 0; index < 70; ++index)
      many.changes.push_back({index, chunk_named(fmt::format("p{}", index % 50)), true});
    pages_ = value_of(publish(volume(), {}, many)).inode;
    change_chunk(pages_.id, 3, "x");
    pages_ = inode(pages_.id);
    value_of(link(volume(), {}, chunks_.id, kRootInode, "second"));
    value_of(make(volume(), {}, kRootInode, "symlink", {.type = FileType::kSymlink, .symlink_target = "d"}));
    value_of(set_xattr(volume(), {}, inline_.id, "user.a", "1", XattrMode::kAny, false));
    orphan_ = make_file("orphan");
    publish_chunks(orphan_.id, {"of the orphan"});
    value_of(unlink(volume(), {}, kRootInode, "orphan", all_open));
    make_file("gone");
    value_of(unlink(volume(), {}, kRootInode, "gone", nothing_open));
  }

  Kinds problems(bool repair = false) {
    Kinds kinds;
    last_.clear();
    auto checked = check(
        volume(), repair,
        [&](const Problem& problem) {
          kinds.push_back(problem.kind);
          last_.push_back(problem);
          if (problem.repaired != (repair && problem.repairable)) kinds.push_back("wrongly reported");
        },
        nullptr);
    if (!checked) return {"error: " + checked.error().what};
    counts_ = *checked;
    std::sort(kinds.begin(), kinds.end());
    return kinds;
  }
  /// The fault shows, as exactly these problems; mended, it is gone for good.
  void expect_repairable(const Kinds& kinds) {
    EXPECT_EQ(problems(), kinds);
    EXPECT_EQ(problems(true), kinds);
    EXPECT_EQ(problems(), Kinds());
    collect_now();
    EXPECT_EQ(problems(), Kinds()) << "after collecting";
  }
  void expect_beyond_repair(const Kinds& kinds) {
    EXPECT_EQ(problems(), kinds);
    EXPECT_EQ(problems(true), kinds);
    EXPECT_EQ(problems(), kinds);
  }

  void put(const Bytes& key, const Bytes& bytes) {
    auto transaction = test_.engine().begin();
    transaction->put(key, bytes);
    value_of(transaction->commit());
  }
  void erase(const Bytes& key) {
    auto transaction = test_.engine().begin();
    transaction->erase(key);
    value_of(transaction->commit());
  }
  Bytes get(const Bytes& key) { return value_of(test_.engine().begin()->get(key))->bytes; }
  Inode row_of(InodeId id) { return value_of(Inode::decode(id, get(keys::inode(id)))); }
  void change_row(InodeId id, const std::function<void(Inode&)>& change) {
    Inode row = row_of(id);
    change(row);
    put(keys::inode(id), row.encode());
  }
  Bytes entry_key(InodeId directory, std::string_view name) { return keys::entry(directory, volume().name_hash(name)); }
  kv::KeyValue first_row(const kv::KeyRange& range) { return value_of(test_.engine().begin()->scan(range, 1)).at(0); }

  Inode directory_, nested_, inline_, chunks_, pages_, orphan_;
  std::vector<Problem> last_;
  CheckCounts counts_;
};
INSTANTIATE_TEST_SUITE_P(Engines, CheckTest, all_engines(), engine_of);

TEST_P(CheckTest, AHealthyVolumeHasNoProblems) {
  EXPECT_EQ(problems(), Kinds());
  EXPECT_EQ(counts_.directories, 3u);
  EXPECT_EQ(counts_.inodes, 13u);
  EXPECT_EQ(counts_.entries, 12u);
  EXPECT_EQ(counts_.chunks, 53u);  // x, y, p0 to p49, the orphan's
  EXPECT_EQ(counts_.stored_chunks, 1u);
  EXPECT_EQ(counts_.content_bytes, 5 + 2 * kChunk + 70 * kChunk + kChunk);
  collect_now();
  EXPECT_EQ(problems(), Kinds());
}

TEST_P(CheckTest, EveryNamedChunkIsVisitedOnce) {
  std::vector<ChunkId> visited;
  value_of(check(volume(), false, nullptr, [&](const ChunkId& id, const ChunkRecord& record) {
    visited.push_back(id);
    EXPECT_EQ(record.length_bytes, kChunk);
  }));
  EXPECT_EQ(visited.size(), 53u);
  EXPECT_EQ(std::set<ChunkId>(visited.begin(), visited.end()).size(), 53u);
}

TEST_P(CheckTest, FindsADanglingEntry) {
  erase(keys::inode(row_of(value_of(lookup(volume(), nested_.id, "file1")).id).id));
  expect_repairable({"dangling_entry"});
  EXPECT_NE(lookup_outcome("file1", nested_.id), "ok");
}

TEST_P(CheckTest, FindsAnInodeWithoutAName) {
  InodeId id = value_of(lookup(volume(), nested_.id, "file1")).id;
  erase(entry_key(nested_.id, "file1"));
  Bytes delta_key = keys::delta(nested_.id, NodeId{1}, 0);
  put(delta_key, DirectoryDelta{4, 0, 5}.encode());
  expect_repairable({"lost_inode"});
  InodeId rescued = value_of(lookup(volume(), kRootInode, "lost+found")).id;
  EXPECT_EQ(value_of(lookup(volume(), rescued, fmt::format("#{}", id.value))).id, id);
}

TEST_P(CheckTest, FindsADirectoryWithoutAName) {
  erase(entry_key(directory_.id, "nested"));
  put(keys::delta(directory_.id, NodeId{1}, 0), DirectoryDelta{2, 0, 5}.encode());
  expect_repairable({"lost_inode"});
  InodeId rescued = value_of(lookup(volume(), kRootInode, "lost+found")).id;
  Inode found = value_of(lookup(volume(), rescued, fmt::format("#{}", nested_.id.value)));
  EXPECT_EQ(found.parent, rescued);
  EXPECT_EQ(found.size, 5u);
}

TEST_P(CheckTest, FindsAnUnlinkedInodeThatNobodyWillRemove) {
  erase(keys::orphan(NodeId{1}, orphan_.id));
  expect_repairable({"lost_inode"});
  EXPECT_EQ(value_of(orphans_of_this_node(volume())), std::vector<InodeId>({orphan_.id}));
}

TEST_P(CheckTest, FindsAStrayOrphan) {
  put(keys::orphan(NodeId{1}, inline_.id), MarkRow().encode());
  expect_repairable({"stray_orphan"});
  put(keys::orphan(NodeId{1}, InodeId{9999}), MarkRow().encode());
  expect_repairable({"stray_orphan"});
}

TEST_P(CheckTest, FindsAWrongLinkCount) {
  change_row(chunks_.id, [](Inode& row) { row.link_count = 5; });
  expect_repairable({"wrong_link_count"});
  EXPECT_EQ(inode(chunks_.id).link_count, 2u);
  change_row(directory_.id, [](Inode& row) { row.link_count = 3; });
  expect_repairable({"wrong_link_count"});
}

TEST_P(CheckTest, FindsWrongCountsOfADirectory) {
  put(keys::delta(nested_.id, NodeId{1}, 7), DirectoryDelta{1, 0, 5}.encode());
  expect_repairable({"wrong_entry_count"});
  EXPECT_EQ(inode(nested_.id).size, 5u);
  put(keys::delta(nested_.id, NodeId{1}, 7), DirectoryDelta{0, 3, 5}.encode());
  EXPECT_EQ(problems(), Kinds({"wrong_entry_count"}));
  EXPECT_NE(last_[0].what.find("/d/nested"), std::string::npos) << last_[0].what;
}

TEST_P(CheckTest, FindsCountsOfNoDirectory) {
  put(keys::delta(InodeId{9999}, NodeId{1}, 0), DirectoryDelta{}.encode());
  expect_repairable({"stray_delta"});
}

TEST_P(CheckTest, FindsAWrongParent) {
  change_row(nested_.id, [](Inode& row) { row.parent = kRootInode; });
  expect_repairable({"wrong_parent"});
  EXPECT_EQ(inode(nested_.id).parent, directory_.id);
}

TEST_P(CheckTest, FindsAWrongType) {
  Bytes key = entry_key(directory_.id, "inline");
  Dentry dentry = value_of(Dentry::decode(get(key)));
  dentry.type = FileType::kSymlink;
  put(key, dentry.encode());
  expect_repairable({"wrong_entry_type"});
}

TEST_P(CheckTest, FindsANameWhereNobodyLooks) {
  Bytes key = entry_key(directory_.id, "inline");
  Bytes value = get(key);
  erase(key);
  put(keys::entry(directory_.id, 12345), value);
  EXPECT_EQ(lookup_outcome("inline", directory_.id), "not_found");
  expect_repairable({"unreachable_entry"});
  EXPECT_EQ(value_of(lookup(volume(), directory_.id, "inline")).id, inline_.id);
}

TEST_P(CheckTest, FindsANameThatIsThereTwice) {
  // The second lies right behind the first, where a collision would put it.
  Bytes key = entry_key(directory_.id, "inline");
  Dentry dentry = value_of(Dentry::decode(get(key)));
  change_row(inline_.id, [](Inode& row) { row.link_count = 2; });
  put(keys::entry(directory_.id, volume().name_hash("inline") + 1), dentry.encode());
  dentry.continues = true;
  put(key, dentry.encode());
  put(keys::delta(directory_.id, NodeId{1}, 9), DirectoryDelta{1, 0, 5}.encode());
  expect_beyond_repair({"duplicate_entry"});
}

TEST_P(CheckTest, FindsNamesInAnInodeThatIsNoDirectory) {
  put(entry_key(inline_.id, "x"), Dentry{chunks_.id, FileType::kFile, "x", false}.encode());
  expect_repairable({"stray_entry"});
}

TEST_P(CheckTest, FindsADirectoryWithTwoNames) {
  put(entry_key(kRootInode, "again"), Dentry{nested_.id, FileType::kDirectory, "again", false}.encode());
  put(keys::delta(kRootInode, NodeId{1}, 9), DirectoryDelta{1, 1, 5}.encode());
  expect_beyond_repair({"directory_with_two_names"});
}

TEST_P(CheckTest, FindsALoopOfDirectories) {
  // d moves below nested, which lies in d.
  Bytes key = entry_key(kRootInode, "d");
  Bytes value = get(key);
  erase(key);
  put(entry_key(nested_.id, "d"), value);
  put(keys::delta(kRootInode, NodeId{1}, 9), DirectoryDelta{-1, -1, 5}.encode());
  put(keys::delta(nested_.id, NodeId{1}, 9), DirectoryDelta{1, 1, 5}.encode());
  change_row(directory_.id, [&](Inode& row) { row.parent = nested_.id; });
  expect_beyond_repair({"directory_loop"});
}

TEST_P(CheckTest, FindsAttributesOfNothing) {
  put(keys::xattr(InodeId{9999}, "user.a"), XattrRow{"1"}.encode());
  expect_repairable({"stray_attribute"});
}

TEST_P(CheckTest, FindsWrongAttributeFlags) {
  change_row(inline_.id, [](Inode& row) { row.has_xattrs = false; });
  expect_repairable({"wrong_attribute_flags"});
  change_row(directory_.id, [](Inode& row) { row.has_default_acl = true; });
  expect_repairable({"wrong_attribute_flags"});
}

TEST_P(CheckTest, FindsAWrongAcl) {
  put(keys::xattr(inline_.id, kAccessAcl), XattrRow{"nonsense"}.encode());
  expect_beyond_repair({"wrong_acl"});
}

TEST_P(CheckTest, FindsAnAclThatDiffersFromTheMode) {
  const Bytes acl(
      "\2\0\0\0"
      "\1\0\6\0\377\377\377\377"
      "\2\0\4\0\5\0\0\0"
      "\4\0\0\0\377\377\377\377"
      "\20\0\4\0\377\377\377\377"
      "\40\0\0\0\377\377\377\377",
      44);
  value_of(set_xattr(volume(), {}, inline_.id, kAccessAcl, acl, XattrMode::kAny, false));
  EXPECT_EQ(problems(), Kinds());
  change_row(inline_.id, [](Inode& row) { row.mode = 0777; });
  expect_repairable({"acl_differs_from_mode"});
  EXPECT_EQ(inode(inline_.id).mode, 0640u);
}

TEST_P(CheckTest, FindsAMissingReference) {
  erase(keys::reference(chunk_named("y"), keys::OwnerKind::kInode, chunks_.id.value));
  expect_repairable({"missing_reference"});
  EXPECT_EQ(state("y"), "stored");
}

TEST_P(CheckTest, FindsAMissingReferenceOfAPage) {
  erase(keys::reference(chunk_named("p7"), keys::OwnerKind::kPage, pages_.content.pages[0].value));
  EXPECT_EQ(problems(), Kinds({"missing_reference"}));
  EXPECT_TRUE(last_[0].what.starts_with("/pages: ")) << last_[0].what;
  expect_repairable({"missing_reference"});
}

TEST_P(CheckTest, FindsAReferenceOfNothing) {
  put(keys::reference(chunk_named("y"), keys::OwnerKind::kInode, inline_.id.value), ReferenceRow{1}.encode());
  expect_repairable({"stray_reference"});
  EXPECT_EQ(state("y"), "stored");
  put(keys::reference(chunk_named("y"), keys::OwnerKind::kPage, 9999), ReferenceRow{}.encode());
  expect_repairable({"stray_reference"});
}

TEST_P(CheckTest, AChunkWithOnlyAStrayReferenceIsCollectedAfterRepair) {
  put(keys::chunk(chunk_named("stray")), ChunkRecord{3, ChunkState::kStored, false, 5}.encode());
  put(keys::reference(chunk_named("stray"), keys::OwnerKind::kInode, inline_.id.value), ReferenceRow{1}.encode());
  expect_repairable({"stray_reference"});
  EXPECT_EQ(state("stray"), "absent");
}

TEST_P(CheckTest, FindsAChunkThatNothingNames) {
  put(keys::chunk(chunk_named("alone")), ChunkRecord{3, ChunkState::kStored, false, 5}.encode());
  expect_repairable({"unnamed_chunk"});
  EXPECT_EQ(state("alone"), "absent");
  put(keys::chunk(chunk_named("alone")), ChunkRecord{3, ChunkState::kCondemned, true, 5}.encode());
  expect_repairable({"unnamed_chunk"});
  EXPECT_EQ(state("alone"), "absent");
}

TEST_P(CheckTest, FindsAnUnknownChunk) {
  erase(keys::chunk(chunk_named("x")));
  EXPECT_EQ(problems(), Kinds({"missing_chunk_record"}));
  EXPECT_TRUE(last_[0].what.starts_with("/d/chunks: ") || last_[0].what.starts_with("/second: ") ||
              last_[0].what.starts_with("/pages: "))
      << last_[0].what;
  expect_beyond_repair({"missing_chunk_record"});
}

TEST_P(CheckTest, FindsAnUnknownChunkOfSupersededContent) {
  erase(keys::chunk(chunk_named("old")));
  expect_beyond_repair({"missing_chunk_record"});
}

TEST_P(CheckTest, FindsAChunkOfAnotherLength) {
  put(keys::chunk(chunk_named("y")), ChunkRecord{record("y")->generation, ChunkState::kStored, false, 5}.encode());
  expect_beyond_repair({"wrong_chunk_length"});
}

TEST_P(CheckTest, FindsAChunkThatIsNowhere) {
  erase(keys::duty(chunk_named("x"), NodeId{1}));
  expect_beyond_repair({"chunk_without_holder"});
}

TEST_P(CheckTest, FindsADutyOfAnUnknownChunk) {
  put(keys::duty(chunk_named("unknown"), NodeId{1}), MarkRow().encode());
  expect_repairable({"unknown_duty"});
}

TEST_P(CheckTest, FindsAMissingPage) {
  const PageId page = pages_.content.pages[0];
  erase(keys::page(page));
  Kinds found = problems();
  EXPECT_EQ(std::count(found.begin(), found.end(), "missing_page"), 1);
  std::erase(found, "missing_page");
  std::erase(found, "stray_reference");  // the page's
  EXPECT_EQ(found, Kinds());
}

TEST_P(CheckTest, FindsAPageOfAnotherFile) {
  const PageId page = pages_.content.pages[0];
  PageRow row = value_of(PageRow::decode(get(keys::page(page))));
  row.owner = inline_.id;
  put(keys::page(page), row.encode());
  expect_beyond_repair({"wrong_page"});
}

TEST_P(CheckTest, FindsAPageThatIsInUseTwice) {
  Inode copy = make_file("copy");
  Inode row = row_of(pages_.id);
  row.id = copy.id;
  put(keys::inode(copy.id), row.encode());
  expect_beyond_repair({"shared_page", "wrong_page"});
}

TEST_P(CheckTest, FindsAPageOfNoContent) {
  PageRow row{pages_.id, NodeId{1}, 3, {chunk_named("x")}};
  auto transaction = test_.engine().begin();
  transaction->put(keys::page(PageId{77}), row.encode());
  transaction->put(keys::reference(chunk_named("x"), keys::OwnerKind::kPage, 77), ReferenceRow().encode());
  value_of(transaction->commit());
  expect_repairable({"lost_page"});
  EXPECT_EQ(rows_in(keys::all_of(keys::kPage)), 1u);
}

TEST_P(CheckTest, FindsAPageInUseThatIsQueuedForErasure) {
  QueueRow row;
  row.inode = pages_.id;
  row.pages = pages_.content.pages;
  put(keys::queue(keys::QueueClass::kContent, 1, 2), row.encode());
  expect_repairable({"queued_page_in_use"});
}

TEST_P(CheckTest, FindsALiveChunkWhoseObjectIsQueuedForDeletion) {
  QueueRow row;
  row.chunks.push_back({chunk_named("y"), record("y")->generation, 5});
  put(keys::queue(keys::QueueClass::kObject, 1, 2), row.encode());
  EXPECT_EQ(problems(), Kinds({"deletion_of_live_chunk"}));
  EXPECT_EQ(problems(true), Kinds({"deletion_of_live_chunk"}));
  EXPECT_EQ(problems(), Kinds());
  const std::vector<std::string> deleted = collect_now();
  EXPECT_EQ(std::count(deleted.begin(), deleted.end(), chunk_object_name(chunk_named("y"), record("y")->generation)),
            0);
}

TEST_P(CheckTest, FindsAWrongManifest) {
  change_row(chunks_.id, [](Inode& row) { row.content.manifest = ManifestId(sha256("x")); });
  expect_repairable({"wrong_manifest"});
}

TEST_P(CheckTest, FindsCountersThatAreBehind) {
  put(keys::counter(keys::CounterKind::kInode), CounterRow{3}.encode());
  expect_repairable({"counter_behind"});
  erase(keys::counter(keys::CounterKind::kPage));
  expect_repairable({"counter_behind"});
}

TEST_P(CheckTest, FindsRowsThatCannotBeRead) {
  for (const Bytes& key : {keys::queue(keys::QueueClass::kContent, 5, 5), keys::xattr(inline_.id, "user.b"),
                           keys::build(NodeId{1}, 1), keys::slot(NodeId{2}, 1), keys::orphan(NodeId{1}, InodeId{5}),
                           Bytes("C12"), keys::page(PageId{99}), Bytes("Q"), keys::delta(nested_.id, NodeId{1}, 9)}) {
    put(key, "\xff\xff");
    expect_beyond_repair({"undecodable_row"});
    erase(key);
  }
  EXPECT_EQ(problems(), Kinds());
}

TEST_P(CheckTest, AnUnreadableDirectoryDoesNotOrphanItsEntries) {
  put(keys::inode(nested_.id), "\xff");
  expect_beyond_repair({"undecodable_row"});
}

TEST_P(CheckTest, FindsRowsOfUnknownKinds) {
  put("zzz", "1");
  expect_beyond_repair({"unknown_row"});
  erase("zzz");
  put("N1", "1");
  EXPECT_EQ(problems(), Kinds()) << "of another part of the system";
}

}  // namespace
}  // namespace weir::meta
