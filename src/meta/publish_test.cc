#include "meta/content_testing.h"

namespace weir::meta {
namespace {

class PublishTest : public ContentTest {};
INSTANTIATE_TEST_SUITE_P(Engines, PublishTest, all_engines(), engine_of);

using Ids = std::vector<ChunkId>;

TEST_P(PublishTest, SmallContentLiesInTheInode) {
  Inode file = make_file("a");
  test_.clock().advance_ms(1);
  Publish change{.inode = file.id, .size = 5, .inline_bytes = "hello"};
  change.attributes.mtime_ns = 42;
  Published published = value_of(publish(volume(), {}, change));
  EXPECT_TRUE(published.to_upload.empty());
  Inode now = inode(file.id);
  EXPECT_EQ(now, published.inode);
  EXPECT_EQ(now.content.inline_bytes, "hello");
  EXPECT_EQ(now.size, 5u);
  EXPECT_GT(now.generation, file.generation);
  EXPECT_EQ(now.mtime_ns, 42);
  EXPECT_GT(now.ctime_ns, file.ctime_ns);
  EXPECT_EQ(value_of(content_state(volume(), now)), ContentState::kStored);
}

TEST_P(PublishTest, NewChunksAreStagedAndToBeUploaded) {
  Inode file = make_file("a");
  Publish change = whole_content_of(file.id, {"x", "y", "x"}, 2 * kChunk + 10);
  change.changes.pop_back();
  change.changes.push_back({2, chunk_named("z"), true});
  Published published = value_of(publish(volume(), {}, change));
  EXPECT_EQ(published.to_upload.size(), 3u);
  EXPECT_EQ(value_of(load_chunks(volume(), published.inode)),
            Ids({chunk_named("x"), chunk_named("y"), chunk_named("z")}));
  EXPECT_EQ(published.inode.content.manifest,
            (Manifest{2 * kChunk + 10, {chunk_named("x"), chunk_named("y"), chunk_named("z")}}.id()));
  for (const char* name : {"x", "y", "z"}) {
    EXPECT_EQ(state(name), "staged");
    EXPECT_EQ(references(name), 1u);
    EXPECT_EQ(duties(name), 1u);
  }
  EXPECT_EQ(record("x")->length_bytes, kChunk);
  EXPECT_EQ(record("z")->length_bytes, 10u);
  EXPECT_EQ(value_of(content_state(volume(), published.inode)), ContentState::kLocal);
  for (const auto& [id, generation] : published.to_upload)
    EXPECT_EQ(value_of(chunk_records(volume(), {id}))[0]->generation, generation);
}

TEST_P(PublishTest, AChunkThatOccursTwiceIsUploadedOnce) {
  Inode file = make_file("a");
  EXPECT_EQ(publish_chunks(file.id, {"x", "x", "x"}).to_upload.size(), 1u);
  EXPECT_EQ(references("x"), 1u);
}

TEST_P(PublishTest, HolesHaveNoRows) {
  Inode file = make_file("a");
  Published published = publish_chunks(file.id, {"x", "", "y"});
  EXPECT_EQ(value_of(load_chunks(volume(), published.inode)), Ids({chunk_named("x"), ChunkId(), chunk_named("y")}));
  EXPECT_EQ(rows_in(keys::all_of(keys::kChunk)), 2u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kReference)), 2u);
}

TEST_P(PublishTest, WhatTheStoreHasIsNotUploadedAgain) {
  store(publish_chunks(make_file("a").id, {"x", "y"}));
  EXPECT_EQ(state("x"), "stored");
  EXPECT_EQ(duties("x"), 0u);
  Published second = publish_chunks(make_file("b").id, {"x", "y", "z"});
  ASSERT_EQ(second.to_upload.size(), 1u);
  EXPECT_EQ(second.to_upload[0].first, chunk_named("z"));
  EXPECT_EQ(references("x"), 2u);
  store(second);
  EXPECT_EQ(value_of(content_state(volume(), second.inode)), ContentState::kStored);
}

TEST_P(PublishTest, AChunkThatSomebodyElseStagedIsUploadedByBoth) {
  Published first = publish_chunks(make_file("a").id, {"x"});
  Published second = publish_chunks(make_file("b").id, {"x"});
  EXPECT_EQ(first.to_upload, second.to_upload);
}

TEST_P(PublishTest, AChunkThatNobodyHasMustBeBrought) {
  Inode file = make_file("a");
  Publish change = whole_content_of(file.id, {"x"});
  change.changes[0].brought = false;
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "unavailable");
  EXPECT_EQ(inode(file.id).generation, file.generation);
  publish_chunks(make_file("b").id, {"x"});
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "ok");
  EXPECT_EQ(references("x"), 2u);
}

TEST_P(PublishTest, AChangeInPlaceKeepsTheOtherChunks) {
  Inode file = make_file("a");
  publish_chunks(file.id, {"x", "y", "z"});
  Published changed = change_chunk(file.id, 1, "w");
  EXPECT_EQ(value_of(load_chunks(volume(), changed.inode)),
            Ids({chunk_named("x"), chunk_named("w"), chunk_named("z")}));
  EXPECT_EQ(changed.to_upload.size(), 1u);
  EXPECT_EQ(rows_in(keys::queue_of(keys::QueueClass::kContent)), 1u);
}

TEST_P(PublishTest, TruncationIsAPublishOfASmallerSize) {
  Inode file = make_file("a");
  publish_chunks(file.id, {"x", "y", "z"});
  Publish change{.inode = file.id, .base_generation = inode(file.id).generation, .size = kChunk + 7};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "invalid") << "chunk 1 would have another length";
  change.changes.push_back({1, chunk_named("y7"), true});
  Inode now = value_of(publish(volume(), {}, change)).inode;
  EXPECT_EQ(value_of(load_chunks(volume(), now)), Ids({chunk_named("x"), chunk_named("y7")}));
  change = {.inode = file.id, .base_generation = now.generation, .size = 0};
  now = value_of(publish(volume(), {}, change)).inode;
  EXPECT_EQ(now.size, 0u);
  EXPECT_EQ(now.content, Content());
  change = {.inode = file.id, .base_generation = now.generation, .size = 3 * kChunk};
  now = value_of(publish(volume(), {}, change)).inode;
  EXPECT_EQ(value_of(load_chunks(volume(), now)), Ids(3));
}

TEST_P(PublishTest, TwoChangesOfOneBaseAreMergedChunkByChunk) {
  Inode file = make_file("a");
  uint64_t base = publish_chunks(file.id, {"x", "y", "z"}).inode.generation;
  change_chunk(file.id, 0, "theirs");
  Publish change{.inode = file.id, .base_generation = base, .size = 3 * kChunk};
  change.changes.push_back({2, chunk_named("ours"), true});
  Inode now = value_of(publish(volume(), {}, change)).inode;
  EXPECT_EQ(value_of(load_chunks(volume(), now)), Ids({chunk_named("theirs"), chunk_named("y"), chunk_named("ours")}));
}

TEST_P(PublishTest, AReplacementWinsWhole) {
  Inode file = make_file("a");
  publish_chunks(file.id, {"x", "y", "z"});
  change_chunk(file.id, 0, "theirs");
  Inode now = publish_chunks(file.id, {"", "ours"}).inode;
  EXPECT_EQ(value_of(load_chunks(volume(), now)), Ids({ChunkId(), chunk_named("ours")}));
}

TEST_P(PublishTest, AMergeKeepsWhatOthersAppended) {
  Inode file = make_file("a");
  uint64_t base = publish_chunks(file.id, {"x", "y"}).inode.generation;
  Publish append{.inode = file.id, .base_generation = base, .size = 3 * kChunk + 5};
  append.changes = {{2, chunk_named("more"), true}, {3, chunk_named("5"), true}};
  value_of(publish(volume(), {}, append));
  Publish change{.inode = file.id, .base_generation = base, .size = 2 * kChunk};
  change.changes.push_back({0, chunk_named("ours"), true});
  Inode now = value_of(publish(volume(), {}, change)).inode;
  EXPECT_EQ(now.size, 3 * kChunk + 5);
  EXPECT_EQ(value_of(load_chunks(volume(), now))[0], chunk_named("ours"));
  EXPECT_EQ(value_of(load_chunks(volume(), now))[3], chunk_named("5"));
}

TEST_P(PublishTest, AMergeThatWouldMixWithinAChunkIsStale) {
  Inode file = make_file("a");
  uint64_t base = value_of(publish(volume(), {}, whole_content_of(file.id, {"x", "y"}, 2 * kChunk))).inode.generation;
  Publish shorten{.inode = file.id, .base_generation = base, .size = kChunk + 9};
  shorten.changes.push_back({1, chunk_named("9"), true});
  value_of(publish(volume(), {}, shorten));
  // Ours appended a third chunk behind the second one, which is short by now.
  Publish append{.inode = file.id, .base_generation = base, .size = 3 * kChunk};
  append.changes.push_back({2, chunk_named("z"), true});
  EXPECT_EQ(outcome(publish(volume(), {}, append)), "stale");
  append.replaces = true;
  EXPECT_EQ(outcome(publish(volume(), {}, append)), "ok");
}

TEST_P(PublishTest, ChunksOverInlineBytesMustIncludeTheFirst) {
  Inode file = make_file("a");
  publish_bytes(file.id, "hello");
  Publish change{.inode = file.id, .base_generation = inode(file.id).generation, .size = 2 * kChunk};
  change.changes = {{1, chunk_named("y"), true}};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "invalid");
  change.changes = {{0, chunk_named("hello and more"), true}, {1, chunk_named("y"), true}};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "ok");
}

TEST_P(PublishTest, WhatAFencedNodeBeganDoesNotWinOverWhatOthersDidMeanwhile) {
  const InodeId file = make_file("f").id;
  publish_bytes(file, "old");
  Publish change{.inode = file, .base_generation = inode(file).generation, .size = 4, .inline_bytes = "late"};
  publish_bytes(file, "others");
  volume().join({.epoch = 3, .fencings = 1});
  EXPECT_EQ(publish(volume(), {}, change).error().code, Code::kFenced);
  EXPECT_EQ(inode(file).size, 6u);
  change.base_generation = inode(file).generation;
  EXPECT_TRUE(publish(volume(), {}, change)) << "nobody has changed it meanwhile";
  change.fencings = 1;
  EXPECT_TRUE(publish(volume(), {}, change)) << "begun as a member, the last one wins";
}

TEST_P(PublishTest, MalformedChangesAreRefused) {
  Inode file = make_file("a");
  Publish change{.inode = file.id, .size = kChunk};
  change.changes = {{1, chunk_named("x"), true}};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "invalid");
  change.size = 3 * kChunk;
  change.changes = {{1, chunk_named("x"), true}, {0, chunk_named("y"), true}};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "invalid");
  change = {.inode = file.id, .size = limits::kFileBytes + 1};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "too_large");
  change = {.inode = file.id, .size = 4097, .inline_bytes = Bytes(4097, 'x')};
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "invalid");
  EXPECT_EQ(outcome(publish(volume(), {}, {.inode = kRootInode})), "invalid");
  EXPECT_EQ(outcome(publish(volume(), {}, {.inode = InodeId{999}})), "not_found");
}

TEST_P(PublishTest, AChunkHasOneLength) {
  publish_chunks(make_file("a").id, {"x"});
  EXPECT_EQ(outcome(publish(volume(), {}, whole_content_of(make_file("b").id, {"x"}, 5))), "invalid");
}

TEST_P(PublishTest, OrphansArePublishedToo) {
  Inode file = make_file("a");
  value_of(unlink(volume(), {}, kRootInode, "a", all_open));
  EXPECT_EQ(publish_chunks(file.id, {"x"}).inode.link_count, 0u);
  succeed(release_orphan(volume(), {}, file.id));
  EXPECT_EQ(outcome(publish(volume(), {}, whole_content_of(file.id, {"x"}))), "not_found");
}

TEST_P(PublishTest, ARequestOfAnEarlierLifeIsNotPublishedAgain) {
  Inode file = make_file("a");
  Publish change = whole_content_of(file.id, {"x"});
  Published first = value_of(publish(volume(), RequestId{9}, change));
  test_.reopen();
  Published second = value_of(publish(volume(), RequestId{9}, change));
  EXPECT_EQ(second.inode.generation, first.inode.generation);
  EXPECT_EQ(second.to_upload, first.to_upload);
}

// Content in pages.

Publish many_chunks(InodeId inode, uint64_t count, std::string_view prefix) {
  Publish change{.inode = inode, .replaces = true, .size = count * kChunk};
  for (uint64_t index = 0; index < count; ++index)
    change.changes.push_back({index, chunk_named(fmt::format("{}{}", prefix, index)), true});
  return change;
}

TEST_P(PublishTest, ManyChunksLieInPages) {
  Inode file = make_file("a");
  Publish change = many_chunks(file.id, 1100, "p");
  change.attributes.mode = 0600;
  Published published = value_of(publish(volume(), {}, change));
  EXPECT_EQ(published.inode.content.form, Content::Form::kPages);
  EXPECT_EQ(published.inode.content.pages.size(), 2u);
  EXPECT_EQ(published.inode.mode, 0600u);
  EXPECT_EQ(published.to_upload.size(), 1100u);
  Ids chunks = value_of(load_chunks(volume(), inode(file.id)));
  ASSERT_EQ(chunks.size(), 1100u);
  EXPECT_EQ(chunks[1099], chunk_named("p1099"));
  EXPECT_EQ(published.inode.content.manifest, (Manifest{1100 * kChunk, chunks}.id()));
  EXPECT_EQ(rows_in(keys::all_of(keys::kBuild)), 0u);
  store(published);
  EXPECT_EQ(value_of(content_state(volume(), published.inode)), ContentState::kStored);
}

TEST_P(PublishTest, AChangeInPlaceWritesOnlyThePagesItTouches) {
  Inode file = make_file("a");
  Inode before = value_of(publish(volume(), {}, many_chunks(file.id, 1100, "p"))).inode;
  Published changed = change_chunk(file.id, 1050, "new");
  EXPECT_EQ(changed.to_upload.size(), 1u);
  EXPECT_EQ(changed.inode.content.pages[0], before.content.pages[0]);
  EXPECT_NE(changed.inode.content.pages[1], before.content.pages[1]);
  EXPECT_EQ(value_of(load_chunks(volume(), before)).size(), 1100u) << "readable for the grace";
  collect_now();
  EXPECT_EQ(outcome(load_chunks(volume(), before)), "stale");
  Ids chunks = value_of(load_chunks(volume(), changed.inode));
  EXPECT_EQ(chunks[1050], chunk_named("new"));
  EXPECT_EQ(chunks[1049], chunk_named("p1049"));
  EXPECT_EQ(rows_in(keys::all_of(keys::kPage)), 2u);
}

TEST_P(PublishTest, ContentMovesBetweenItsForms) {
  Inode file = make_file("a");
  publish_chunks(file.id, {"x", "y"});
  Publish grow{.inode = file.id, .base_generation = inode(file.id).generation, .size = 100 * kChunk};
  grow.changes.push_back({99, chunk_named("end"), true});
  Inode now = value_of(publish(volume(), {}, grow)).inode;
  EXPECT_EQ(now.content.form, Content::Form::kPages);
  Ids chunks = value_of(load_chunks(volume(), now));
  EXPECT_EQ(chunks[1], chunk_named("y"));
  EXPECT_EQ(chunks[99], chunk_named("end"));
  collect_now();
  Publish shrink{.inode = file.id, .base_generation = now.generation, .size = 2 * kChunk};
  now = value_of(publish(volume(), {}, shrink)).inode;
  EXPECT_EQ(now.content.form, Content::Form::kChunks);
  collect_now();
  EXPECT_EQ(value_of(load_chunks(volume(), now)), Ids({chunk_named("x"), chunk_named("y")}));
  EXPECT_EQ(references("x"), 1u);
  EXPECT_EQ(state("x"), "staged");
  EXPECT_EQ(state("end"), "absent");
  publish_bytes(file.id, "z");
  collect_now();
  EXPECT_EQ(state("x"), "absent");
  EXPECT_EQ(rows_in(keys::all_of(keys::kReference)), 0u);
}

TEST_P(PublishTest, AHugeHoleNeedsNoRows) {
  Inode file = make_file("a");
  Publish change{.inode = file.id, .replaces = true, .size = limits::kFileBytes / 64};
  Inode now = value_of(publish(volume(), {}, change)).inode;
  EXPECT_EQ(now.content.form, Content::Form::kPages);
  EXPECT_EQ(rows_in(keys::all_of(keys::kPage)), 0u);
  Ids chunks = value_of(load_chunks(volume(), now));
  EXPECT_TRUE(std::all_of(chunks.begin(), chunks.end(), [](const ChunkId& id) { return id.is_zero(); }));
}

TEST_P(PublishTest, APageThatCannotBeBuiltLeavesNothing) {
  Inode file = make_file("a");
  Publish change = many_chunks(file.id, 1100, "p");
  change.changes[1050].brought = false;
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "unavailable");
  EXPECT_EQ(inode(file.id).size, 0u);
  collect_now();
  EXPECT_EQ(rows_in(keys::all_of(keys::kBuild)), 0u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kPage)), 0u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kReference)), 0u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kChunk)), 0u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kDuty)), 0u);
}

TEST_P(PublishTest, APublishThatDiedIsUndoneInTheNextLife) {
  // What a process leaves that dies between two pages.
  Inode file = make_file("a");
  value_of(publish(volume(), {}, many_chunks(file.id, 70, "p")));
  const PageId page = inode(file.id).content.pages[0];
  auto transaction = test_.engine().begin();
  PageRow row{file.id, NodeId{1}, volume().first_publish(), {chunk_named("p1"), chunk_named("died")}};
  transaction->put(keys::page(PageId{900}), row.encode());
  transaction->put(keys::build(NodeId{1}, volume().first_publish()),
                   BuildRow{file.id, {PageId{900}, PageId{901}}}.encode());
  for (const ChunkId& chunk : row.chunks)
    transaction->put(keys::reference(chunk, keys::OwnerKind::kPage, 900), ReferenceRow().encode());
  transaction->put(keys::chunk(chunk_named("died")), ChunkRecord{5, ChunkState::kStaged, false, kChunk}.encode());
  transaction->put(keys::duty(chunk_named("died"), NodeId{1}), MarkRow().encode());
  while (!transaction->commit()) FAIL() << "planting";

  collect_now();
  EXPECT_EQ(state("died"), "staged") << "this life's builds are left alone";
  EXPECT_TRUE(value_of(chunk_is_wanted(volume(), chunk_named("died"))));
  test_.reopen();
  collect_now(false);
  EXPECT_EQ(state("died"), "absent");
  EXPECT_EQ(duties("died"), 0u);
  EXPECT_EQ(references("p1"), 1u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kBuild)), 0u);
  EXPECT_EQ(inode(file.id).content.pages[0], page);
}

TEST_P(PublishTest, AnAnnouncedChunkThatIsStoredNeedsNoUpload) {
  Inode file = make_file("a");
  auto announced = value_of(announce_chunks(volume(), {{chunk_named("x"), kChunk}, {chunk_named("y"), kChunk}}));
  ASSERT_TRUE(announced[0] && announced[1]);
  EXPECT_EQ(state("x"), "condemned");
  succeed(mark_stored(volume(), {{chunk_named("x"), *announced[0]}}));
  Published published = publish_chunks(file.id, {"x", "y"});
  ASSERT_EQ(published.to_upload.size(), 1u);
  EXPECT_EQ(published.to_upload[0], std::pair(chunk_named("y"), *announced[1]));
  EXPECT_EQ(state("x"), "stored");
  EXPECT_EQ(state("y"), "staged");
  EXPECT_EQ(record("x")->generation, *announced[0]);
  EXPECT_TRUE(collect_now().empty());
  EXPECT_EQ(state("x"), "stored");
  EXPECT_EQ(state("y"), "staged");
}

TEST_P(PublishTest, AKnownChunkIsNotAnnounced) {
  Inode file = make_file("a");
  publish_chunks(file.id, {"x"});
  auto announced = value_of(announce_chunks(volume(), {{chunk_named("x"), kChunk}, {chunk_named("y"), kChunk}}));
  EXPECT_FALSE(announced[0]);
  EXPECT_TRUE(announced[1]);
  EXPECT_EQ(state("x"), "staged");
  EXPECT_FALSE(value_of(announce_chunks(volume(), {{chunk_named("y"), kChunk}}))[0]);
}

TEST_P(PublishTest, AnAnnouncedChunkThatNobodyPublishesGoesWithItsObjectAfterTheGrace) {
  auto announced = value_of(announce_chunks(volume(), {{chunk_named("x"), kChunk}, {chunk_named("y"), kChunk}}));
  succeed(mark_stored(volume(), {{chunk_named("x"), *announced[0]}}));
  EXPECT_TRUE(collect_now(false).empty());
  EXPECT_EQ(state("x"), "condemned");
  // Of the other one nobody knows whether it was sent.
  EXPECT_EQ(collect_now(), std::vector<std::string>({chunk_object_name(chunk_named("x"), *announced[0]),
                                                     chunk_object_name(chunk_named("y"), *announced[1])}));
  EXPECT_EQ(report_.objects_deleted, 1u);
  EXPECT_EQ(state("x"), "absent");
}

}  // namespace
}  // namespace weir::meta
