#include "meta/content_testing.h"

namespace weir::meta {
namespace {

class CollectTest : public ContentTest {
 protected:
  std::string object(std::string_view name, uint64_t generation) {
    return chunk_object_name(chunk_named(name), generation);
  }
};

TEST(IdleCollectorTest, ARunWithoutWorkWritesNothing) {
  TestVolume test(EngineKind::kMemory);
  auto commits = [&, last = kv::Version{0}]() mutable {
    auto transaction = test.engine().begin();
    transaction->put("~", "counts");
    const kv::Version now = value_of(transaction->commit());
    return now - std::exchange(last, now) - 1;
  };
  const auto run = [&](bool ignore_grace) {
    return value_of(collect(
        test.volume(), ignore_grace, [](std::span<const std::string>) { return Status(); }, nullptr));
  };
  const InodeId file = value_of(make(test.volume(), {}, kRootInode, "file", {.type = FileType::kFile})).id;
  for (const char* chunk : {"old", "new"}) value_of(publish(test.volume(), {}, whole_content_of(file, {chunk})));
  commits();
  EXPECT_EQ(run(false).waiting, 1u) << "not due yet";
  EXPECT_EQ(commits(), 0u);
  EXPECT_GT(run(true).queue_entries, 0u);
  EXPECT_GT(commits(), 2u);
  while (run(true).waiting > 0) continue;
  commits();
  run(true);
  EXPECT_EQ(commits(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, CollectTest, all_engines(), engine_of);

using Objects = std::vector<std::string>;

TEST_P(CollectTest, WhatWasUnlinkedGoesAfterTheGrace) {
  Inode file = make_file("a");
  store(publish_chunks(file.id, {"x"}));
  const uint64_t generation = record("x")->generation;
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  EXPECT_EQ(collect_now(false), Objects());
  EXPECT_EQ(report_.waiting, 1u);
  EXPECT_EQ(state("x"), "stored");
  test_.clock().advance_ms(volume().settings().grace_ms + 1);
  EXPECT_EQ(collect_now(false), Objects({object("x", generation)}));
  EXPECT_EQ(report_.objects_deleted, 1u);
  EXPECT_EQ(report_.bytes_deleted, kChunk);
  EXPECT_EQ(report_.references_erased, 1u);
  EXPECT_EQ(report_.chunks_condemned, 1u);
  EXPECT_EQ(report_.waiting, 0u);
  EXPECT_EQ(state("x"), "absent");
  EXPECT_EQ(references("x"), 0u);
}

TEST_P(CollectTest, WhatAnotherFileNamesStays) {
  store(publish_chunks(make_file("a").id, {"x", "y"}));
  store(publish_chunks(make_file("b").id, {"x"}));
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  EXPECT_EQ(collect_now().size(), 1u);
  EXPECT_EQ(state("x"), "stored");
  EXPECT_EQ(state("y"), "absent");
  EXPECT_EQ(references("x"), 1u);
}

TEST_P(CollectTest, WhatIsNamedAgainByTheSameFileStays) {
  Inode file = make_file("a");
  store(publish_chunks(file.id, {"x"}));
  store(publish_chunks(file.id, {"y"}));
  store(publish_chunks(file.id, {"x"}));
  EXPECT_EQ(collect_now().size(), 1u);
  EXPECT_EQ(state("x"), "stored");
  EXPECT_EQ(references("x"), 1u);
  EXPECT_EQ(state("y"), "absent");
}

TEST_P(CollectTest, EveryVersionKeepsItsOwnGrace) {
  const int64_t grace_ms = volume().settings().grace_ms;
  Inode file = make_file("a");
  store(publish_chunks(file.id, {"x"}));
  store(publish_chunks(file.id, {"y"}));  // x: due one grace from now
  test_.clock().advance_ms(grace_ms / 2);
  store(publish_chunks(file.id, {"x"}));
  store(publish_chunks(file.id, {"y"}));  // x: due half a grace later
  test_.clock().advance_ms(grace_ms / 2 + 1);
  EXPECT_EQ(collect_now(false), Objects());
  EXPECT_EQ(references("x"), 1u);
  test_.clock().advance_ms(grace_ms / 2 + 1);
  EXPECT_EQ(collect_now(false).size(), 1u);
  EXPECT_EQ(state("x"), "absent");
}

// It lay in the store for ever when its node died between upload and note.
TEST_P(CollectTest, AnObjectThatMayHaveBeenSentIsDeletedWithItsChunk) {
  publish_chunks(make_file("a").id, {"x"});
  const std::string object = chunk_object_name(chunk_named("x"), record("x")->generation);
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  EXPECT_EQ(collect_now(), Objects({object}));
  EXPECT_EQ(report_.objects_deleted, 0u);
  EXPECT_EQ(state("x"), "absent");
  EXPECT_EQ(duties("x"), 0u);
}

TEST_P(CollectTest, AChunkThatComesBackHasANewGeneration) {
  store(publish_chunks(make_file("a").id, {"x"}));
  const uint64_t generation = record("x")->generation;
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  collect_now();
  publish_chunks(make_file("b").id, {"x"});
  EXPECT_EQ(state("x"), "staged");
  EXPECT_GT(record("x")->generation, generation);
}

TEST_P(CollectTest, ALateUploadOfAGenerationThatIsOverIsDeleted) {
  Published first = publish_chunks(make_file("a").id, {"x"});
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  collect_now();
  publish_chunks(make_file("b").id, {"x"});
  store(first);
  EXPECT_EQ(state("x"), "staged");
  EXPECT_EQ(duties("x"), 1u);
  EXPECT_EQ(collect_now(), Objects({object("x", first.to_upload[0].second)}));
  EXPECT_EQ(state("x"), "staged");
}

/// Runs the collector only as far as condemning.
CollectReport condemn_only(Volume& volume) {
  return value_of(collect(
      volume, true, [](std::span<const std::string>) -> Status { return {}; },
      [](const CollectReport& report) { return report.chunks_condemned == 0; }));
}

TEST_P(CollectTest, ACondemnedChunkIsRevivedByAPublish) {
  store(publish_chunks(make_file("a").id, {"x"}));
  const uint64_t generation = record("x")->generation;
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  condemn_only(volume());
  ASSERT_EQ(state("x"), "condemned");
  Publish change = whole_content_of(make_file("b").id, {"x"});
  change.changes[0].brought = false;
  EXPECT_TRUE(value_of(publish(volume(), {}, change)).to_upload.empty());
  EXPECT_EQ(state("x"), "stored");
  EXPECT_EQ(collect_now(), Objects());
  EXPECT_EQ(record("x")->generation, generation);
}

TEST_P(CollectTest, ACondemnedChunkThatWasNeverStoredMustBeBrought) {
  publish_chunks(make_file("a").id, {"x"});
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  condemn_only(volume());
  ASSERT_EQ(state("x"), "condemned");
  Publish change = whole_content_of(make_file("b").id, {"x"});
  change.changes[0].brought = false;
  EXPECT_EQ(outcome(publish(volume(), {}, change)), "unavailable");
  change.changes[0].brought = true;
  EXPECT_EQ(value_of(publish(volume(), {}, change)).to_upload.size(), 1u);
  EXPECT_EQ(state("x"), "staged");
  EXPECT_EQ(collect_now(), Objects());
  EXPECT_EQ(state("x"), "staged");
}

TEST_P(CollectTest, AReferenceThatTheScanMissedRevivesTheChunk) {
  store(publish_chunks(make_file("a").id, {"x"}));
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  condemn_only(volume());
  // As if the publish had validated the chunk before it was condemned and committed at the same time.
  auto transaction = test_.engine().begin();
  transaction->put(keys::reference(chunk_named("x"), keys::OwnerKind::kInode, 1), ReferenceRow{1}.encode());
  while (!transaction->commit()) {
    transaction = test_.engine().begin();
    transaction->put(keys::reference(chunk_named("x"), keys::OwnerKind::kInode, 1), ReferenceRow{1}.encode());
  }
  EXPECT_EQ(collect_now(), Objects());
  EXPECT_EQ(report_.chunks_revived, 1u);
  EXPECT_EQ(state("x"), "stored");
}

TEST_P(CollectTest, AnErrorOfTheStoreStopsItAndIsMadeUpForLater) {
  store(publish_chunks(make_file("a").id, {"x"}));
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  auto failed = collect(
      volume(), true, [](std::span<const std::string>) -> Status { return error(Code::kUnavailable, "store is down"); },
      nullptr);
  EXPECT_EQ(outcome(failed), "unavailable");
  EXPECT_EQ(collect_now().size(), 1u);
  EXPECT_EQ(collect_now().size(), 0u);
}

TEST_P(CollectTest, StoppingAnywhereLosesNothing) {
  for (int i = 0; i < 3; ++i) store(publish_chunks(make_file(fmt::format("f{}", i)).id, {fmt::format("x{}", i), "y"}));
  for (int i = 0; i < 3; ++i) value_of(unlink(volume(), {}, kRootInode, fmt::format("f{}", i), nothing_open));
  size_t removed = 0;
  for (int run = 0; run < 30; ++run) {
    int steps = 0;
    value_of(collect(
        volume(), true,
        [&](std::span<const std::string> names) -> Status {
          removed += names.size();
          return {};
        },
        [&](const CollectReport&) { return ++steps <= 2 + run % 8; }));
  }
  EXPECT_EQ(removed, 4u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kChunk)), 0u);
  EXPECT_EQ(rows_in(keys::all_of(keys::kQueue)), 0u);
}

TEST_P(CollectTest, ADutyIsDroppedOnlyWhenNobodyWantsTheChunk) {
  Inode file = make_file("a");
  publish_chunks(file.id, {"x"});
  EXPECT_TRUE(value_of(chunk_is_wanted(volume(), chunk_named("x"))));
  EXPECT_EQ(outcome(drop_duty(volume(), chunk_named("x"))), "busy");
  EXPECT_EQ(duties("x"), 1u);
  publish_chunks(file.id, {"y"});
  EXPECT_FALSE(value_of(chunk_is_wanted(volume(), chunk_named("x"))));
  EXPECT_EQ(outcome(drop_duty(volume(), chunk_named("x"))), "ok");
  EXPECT_EQ(duties("x"), 0u);
  EXPECT_EQ(state("x"), "condemned");
  Publish again = whole_content_of(make_file("b").id, {"x"});
  again.changes[0].brought = false;
  EXPECT_EQ(outcome(publish(volume(), {}, again)), "unavailable") << "nobody has the bytes any more";
  collect_now();
  EXPECT_EQ(state("x"), "absent");
}

TEST_P(CollectTest, OrphansAndOpenFilesKeepTheirChunks) {
  Inode file = make_file("a");
  store(publish_chunks(file.id, {"x"}));
  value_of(unlink(volume(), {}, kRootInode, "a", all_open));
  EXPECT_TRUE(value_of(chunk_is_wanted(volume(), chunk_named("x"))));
  EXPECT_EQ(collect_now(), Objects());
  EXPECT_EQ(state("x"), "stored");
  succeed(release_orphan(volume(), {}, file.id));
  EXPECT_EQ(collect_now().size(), 1u);
}

}  // namespace
}  // namespace weir::meta
