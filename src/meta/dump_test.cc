#include "meta/dump.h"

#include <fcntl.h>

#include "base/io.h"
#include "meta/content_testing.h"

namespace weir::meta {
namespace {

const KeepDumping kGoOn = [](const DumpProgress&) { return true; };

class Dump : public ContentTest {
 protected:
  FileDescriptor file(const std::string& name, const Bytes& bytes = {}) {
    FileDescriptor fd = value_of(io::open_file(directory_.file(name), O_RDWR | O_CREAT | O_TRUNC));
    succeed(io::write_at(fd.get(), bytes, 0));
    return fd;
  }
  Bytes dumped() {
    const FileDescriptor fd = file("dump");
    value_of(write_dump(volume().engine(), fd.get(), kGoOn));
    return value_of(io::read_file(directory_.file("dump")));
  }
  static std::unique_ptr<kv::Engine> empty_engine() { return value_of(kv::open_engine("memory:", true)); }
  static std::vector<kv::KeyValue> rows_of(kv::Engine& engine) {
    return value_of(engine.begin()->scan({}, limits::kScanRows));
  }

  testing::TemporaryDirectory directory_;
};

TEST_P(Dump, what_was_dumped_is_loaded_but_for_what_belongs_to_processes) {
  publish_chunks(make_file("file").id, {"one", "", "three"});
  const Bytes dump = dumped();
  const FileDescriptor fd = file("copy", dump);
  EXPECT_EQ(value_of(read_dump_settings(fd.get())).volume_id, volume().settings().volume_id);
  auto engine = empty_engine();
  const DumpProgress size = value_of(load_dump(*engine, fd.get(), kGoOn));
  EXPECT_EQ(size.bytes, dump.size());

  std::map<Bytes, Bytes> expected, found;
  for (const kv::KeyValue& row : rows_of(volume().engine()))
    if (row.key[0] != keys::kSlot && row.key[0] != keys::kSettings) expected[row.key] = row.bytes;
  for (const kv::KeyValue& row : rows_of(*engine)) found[row.key] = row.bytes;
  EXPECT_GT(expected.size(), 6u);
  EXPECT_TRUE(expected == found);
  EXPECT_EQ(size.rows, found.size());

  VolumeSettings settings = volume().settings();
  settings.incarnation = std::string(32, '7');
  succeed(put_settings(*engine, settings));
  SystemClock clock;
  SystemRandom random;
  auto loaded = value_of(Volume::open(*engine, NodeId{1}, clock, random));
  EXPECT_EQ(value_of(lookup(*loaded, kRootInode, "file")).content.chunks.size(), 3u);
  EXPECT_EQ(loaded->settings().incarnation, settings.incarnation);
}

TEST_P(Dump, without_its_settings_a_loaded_engine_holds_no_volume) {
  const FileDescriptor fd = file("copy", dumped());
  auto engine = empty_engine();
  value_of(load_dump(*engine, fd.get(), kGoOn));
  SystemClock clock;
  SystemRandom random;
  EXPECT_EQ(outcome(Volume::open(*engine, NodeId{1}, clock, random)), "not_found");
  EXPECT_EQ(outcome(load_dump(*engine, fd.get(), kGoOn)), "not_empty");
  succeed(wipe(*engine));
  EXPECT_FALSE(value_of(has_rows(*engine)));
}

TEST_P(Dump, a_dump_that_is_cut_short_or_damaged_is_refused_wherever_that_is) {
  const Bytes dump = dumped();
  for (size_t place = 0; place < dump.size(); place += 7) {
    Bytes damaged = dump;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x20);
    for (const Bytes& bytes : {damaged, dump.substr(0, place)}) {
      const FileDescriptor fd = file("copy", bytes);
      auto engine = empty_engine();
      auto loaded = load_dump(*engine, fd.get(), kGoOn);
      ASSERT_FALSE(loaded) << place;
      const Code code = loaded.error().code;
      EXPECT_TRUE(code == Code::kCorrupt || code == Code::kInvalid || code == Code::kUnsupported) << place;
    }
  }
}

TEST_P(Dump, stops_when_told_to) {
  const FileDescriptor fd = file("dump");
  EXPECT_EQ(outcome(write_dump(volume().engine(), fd.get(), [](const DumpProgress&) { return false; })), "interrupted");
}

INSTANTIATE_TEST_SUITE_P(Engines, Dump, ::testing::Values(EngineKind::kMemory, EngineKind::kPostgres), engine_of);

}  // namespace
}  // namespace weir::meta
