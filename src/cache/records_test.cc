#include "cache/records.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace weir::cache {
namespace {

template <class Name>
Name name(uint8_t value) {
  Sha256Digest digest{};
  digest[0] = value;
  return Name(digest);
}

ImageRow image_row() {
  ImageRow row{.registered = true, .uses = 3, .size = 3 * limits::kChunkBytes, .disk_bytes = 12345};
  row.last_used_ns = 1'704'067'200'000'000'000;
  row.present_chunks = 2;
  row.boot = 77;
  row.present = {true, false, true};
  row.unverified = {false, true, false};
  return row;
}

UnstoredImage unstored_image() {
  UnstoredImage row{.id = name<ManifestId>(1), .size = 3 * limits::kChunkBytes, .whole = true, .staging_id = 9};
  row.since_ns = 123;
  row.chunks = {{0, name<ChunkId>(2)}, {2, name<ChunkId>(3)}};
  return row;
}

TEST(RecordsTest, every_record_reads_back_as_it_was_written) {
  EXPECT_EQ(ImageRow::decode(image_row().encode()).value(), image_row());
  EXPECT_EQ(UnstoredImage::decode(unstored_image().encode()).value(), unstored_image());
  UnstoredSmall small{name<ChunkId>(4), 5000, 6};
  EXPECT_EQ(UnstoredSmall::decode(small.encode()).value(), small);
  StagingRow open{std::nullopt, "record", ""};
  EXPECT_EQ(StagingRow::decode(open.encode()).value(), open);
  StagingRow sealed{Manifest{10, {name<ChunkId>(5)}}, "", ""};
  EXPECT_EQ(StagingRow::decode(sealed.encode()).value(), sealed);
  StagingRow handover{Manifest{10, {name<ChunkId>(5)}}, "record", "handover"};
  EXPECT_EQ(StagingRow::decode(handover.encode()).value(), handover);
  Identity identity{1, "volume", "boot"};
  EXPECT_EQ(Identity::decode(identity.encode()).value(), identity);
}

TEST(RecordsTest, kinds_of_unstored_records_are_told_apart) {
  EXPECT_EQ(unstored_kind(unstored_image().encode()).value(), UnstoredKind::kImage);
  EXPECT_EQ(unstored_kind(UnstoredSmall{}.encode()).value(), UnstoredKind::kSmall);
  EXPECT_FALSE(unstored_kind(""));
  EXPECT_FALSE(unstored_kind("x"));
  EXPECT_FALSE(UnstoredSmall::decode(unstored_image().encode()));
  EXPECT_FALSE(UnstoredImage::decode(UnstoredSmall{}.encode()));
}

TEST(RecordsTest, a_record_cut_short_or_with_a_tail_is_corrupt) {
  for (const Bytes& whole :
       {image_row().encode(), unstored_image().encode(), UnstoredSmall{name<ChunkId>(4), 5000, 6}.encode(),
        StagingRow{Manifest{10, {name<ChunkId>(5)}}, "record", "handover"}.encode(),
        Identity{1, "volume", "boot"}.encode()}) {
    for (size_t length = 0; length <= whole.size() + 1; ++length) {
      if (length == whole.size()) continue;
      Bytes changed = length < whole.size() ? whole.substr(0, length) : whole + "x";
      EXPECT_FALSE(ImageRow::decode(changed));
      EXPECT_FALSE(UnstoredImage::decode(changed));
      EXPECT_FALSE(UnstoredSmall::decode(changed));
      EXPECT_FALSE(StagingRow::decode(changed));
      EXPECT_FALSE(Identity::decode(changed));
    }
  }
}

TEST(RecordsTest, what_does_not_fit_its_content_is_corrupt) {
  ImageRow bits = image_row();
  bits.present.push_back(true);
  EXPECT_FALSE(ImageRow::decode(bits.encode()));
  ImageRow large = image_row();
  large.size = limits::kFileBytes + 1;
  EXPECT_FALSE(ImageRow::decode(large.encode()));
  UnstoredImage beyond = unstored_image();
  beyond.chunks.emplace_back(3, name<ChunkId>(6));
  EXPECT_FALSE(UnstoredImage::decode(beyond.encode()));
  UnstoredImage unordered = unstored_image();
  std::swap(unordered.chunks[0].first, unordered.chunks[1].first);
  EXPECT_FALSE(UnstoredImage::decode(unordered.encode()));
}

TEST(RecordsTest, a_newer_identity_is_told_from_a_broken_one) {
  EXPECT_EQ(Identity::decode("weir cache 2\nanything").error().code, Code::kUnsupported);
  EXPECT_EQ(Identity::decode("weir cache 99999999999\n").error().code, Code::kCorrupt);
  EXPECT_EQ(Identity::decode("weir cache -1\nvolume a\nboot b\n").error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace weir::cache
