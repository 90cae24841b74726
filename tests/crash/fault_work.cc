#include "fault_work.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "base/fault_point.h"
#include "base/io.h"
#include "testing/fake_backing_files.h"
#include "testing/volume_fixture.h"
#include "vfs/admin.h"
#include "vfs/core.h"

namespace weir::testing {

namespace {

std::string wanted_point;
std::atomic<size_t> passes_left = 0;

void die_at_point(const char* point) {
  if (wanted_point == point && --passes_left == 0) ::kill(::getpid(), SIGKILL);
}

PowerLedger::Content content(uint64_t seed, size_t size) { return std::make_shared<Bytes>(pattern(seed, size)); }

/// Written and closed, under a new name or in place of what is there.
void put(TestVolume* volume, PowerLedger& ledger, const std::string& name, uint64_t seed, size_t size) {
  auto node = ledger.find(name);
  auto bytes = content(seed, size);
  ledger.publish(node ? *node : ledger.create(name), bytes, true);
  if (volume != nullptr) EXPECT_DONE(volume->put(name, *bytes));
}

/// Changes `name` in place, syncs, changes more, and closes.
void change(TestVolume* volume, PowerLedger& ledger, const std::string& name, uint64_t seed, size_t size) {
  const auto node = *ledger.find(name);
  auto states = std::make_shared<std::vector<PowerLedger::Content>>();
  Bytes bytes = *ledger.content(node);
  for (uint64_t part = 0; part < 2; ++part) {
    const Bytes more = pattern(seed + part, size);
    bytes.replace(part * 10'000, more.size(), more);
    states->push_back(std::make_shared<Bytes>(bytes));
  }
  ledger.publish(node, states->front(), true, states);
  ledger.publish(node, states->back(), true, states);
  if (volume == nullptr) return;
  HandleId handle = volume->open(name);
  for (uint64_t part = 0; part < 2; ++part) {
    EXPECT_DONE(volume->write(handle, part * 10'000, pattern(seed + part, size)));
    if (part == 0) EXPECT_DONE(volume->sync(handle));
  }
  EXPECT_DONE(volume->close(handle));
}

/// Written in place of what is there, and closed when some of it is stored already.
void put_slowly(TestVolume* volume, PowerLedger& ledger, const std::string& name, uint64_t seed, size_t size) {
  auto bytes = content(seed, size);
  ledger.publish(*ledger.find(name), bytes, true);
  if (volume == nullptr) return;
  const uint64_t before = vfs::status(volume->fs()).upload.uploaded_chunks;
  HandleId handle = volume->open(name, O_RDWR | O_TRUNC);
  for (size_t done = 0; done < size; done += 1u << 20)
    EXPECT_DONE(volume->write(handle, done, std::string_view(*bytes).substr(done, 1u << 20)));
  for (int i = 0; i < 2000 && vfs::status(volume->fs()).upload.uploaded_chunks == before; ++i)
    SystemClock().sleep_ms(5);
  EXPECT_DONE(volume->close(handle));
}

/// The same, while the kernel shows the file to somebody.
void change_beside_reader(TestVolume* volume, PowerLedger& ledger, const std::string& name, uint64_t seed,
                          size_t size) {
  const HandleId reader = volume != nullptr ? volume->open(name, O_RDONLY) : 0;
  change(volume, ledger, name, seed, size);
  if (volume != nullptr) volume->release(reader);
}

void rename(TestVolume* volume, PowerLedger& ledger, const std::string& from, const std::string& to) {
  ledger.rename(from, to);
  if (volume != nullptr) EXPECT_DONE(volume->rename(from, to));
}

void unlink(TestVolume* volume, PowerLedger& ledger, const std::string& name) {
  ledger.unlink(name);
  if (volume != nullptr) EXPECT_DONE(volume->unlink(name));
}

void read(TestVolume* volume, PowerLedger& ledger) {
  if (volume == nullptr) return;
  for (const auto& [name, node] : ledger.names())
    EXPECT_TRUE(TestVolume::must(volume->get(name)) == *ledger.content(node)) << name;
}

}  // namespace

std::vector<FaultStep> fault_steps() {
  using Volume = TestVolume*;
  using Ledger = PowerLedger;
  constexpr size_t kBig = 300'000;
  constexpr size_t kHuge = (4u << 20) + 100'000;
  return {
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "a", 1, 5'000); },
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "b", 2, kBig); },
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "c", 2, kBig); },  // as b: its image is there already
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "d", 3, kHuge); },
      [](Volume volume, Ledger& ledger) { change_beside_reader(volume, ledger, "d", 9, 8'000); },
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "e", 4, 100); },
      [](Volume volume, Ledger& ledger) { change(volume, ledger, "b", 5, 8'000); },
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "f", 6, kBig); },
      [](Volume volume, Ledger& ledger) { rename(volume, ledger, "f", "a"); },
      [](Volume volume, Ledger&) {
        if (volume != nullptr) volume->drain();
      },
      [](Volume volume, Ledger&) {
        if (volume != nullptr) volume->evict();
      },
      [](Volume volume, Ledger& ledger) { read(volume, ledger); },
      [](Volume volume, Ledger& ledger) { put_slowly(volume, ledger, "e", 9, 2 * kHuge); },
      [](Volume volume, Ledger& ledger) { change(volume, ledger, "d", 7, 8'000); },
      [](Volume volume, Ledger& ledger) { change_beside_reader(volume, ledger, "b", 10, 8'000); },
      [](Volume volume, Ledger& ledger) { unlink(volume, ledger, "c"); },
      [](Volume volume, Ledger& ledger) { put(volume, ledger, "b", 8, 6'000); },
      [](Volume volume, Ledger&) {
        if (volume != nullptr) volume->drain();
      },
      [](Volume volume, Ledger&) {
        if (volume != nullptr) volume->collect();
      },
      [](Volume volume, Ledger&) {
        if (volume != nullptr) volume->evict();
      },
      [](Volume volume, Ledger& ledger) { read(volume, ledger); },
  };
}

int work_until_fault(const std::string& directory, const std::string& point, size_t pass) {
  wanted_point = point;
  passes_left = pass;
  FileDescriptor done = TestVolume::must(io::open_file(directory + ".done", O_WRONLY | O_CREAT | O_APPEND));
  {
    VolumeOptions options{.on_disk = true, .directory = directory};
    options.filesystem.early_upload_bytes = 4u << 20;
    FakeBackingFiles kernel;
    TestVolume volume(std::move(options));
    volume.fs().connect({.backing_files = &kernel});
    fault_hook = die_at_point;
    PowerLedger ledger;
    for (const FaultStep& step : fault_steps()) {
      step(&volume, ledger);
      CHECK(::write(done.get(), ".", 1) == 1);
    }
  }
  return ::testing::Test::HasFailure() ? 1 : 0;
}

}  // namespace weir::testing
