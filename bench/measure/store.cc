#include <fcntl.h>

#include <algorithm>
#include <thread>

#include "base/io.h"
#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/read_patterns.h"
#include "bench/measure/stopwatch.h"
#include "bench/measure/store_stage.h"

namespace weir::bench {

namespace {

constexpr uint64_t kRequestBytes = 1u << 20;
// As many as Weir has under way: chunks in its memory for uploads, and threads that fill.
constexpr size_t kPlainPuts = 16;
constexpr size_t kPlainGets = 8;
constexpr double kShare = 0.85;
constexpr uint64_t kShortFileBytes = 32u << 20;
constexpr int kWriters = 4;
constexpr size_t kSmallBytes = 16u << 10;
constexpr double kSmallFilesPerSecond = 3'000;

using Stage = std::shared_ptr<std::unique_ptr<StoreStage>>;
using Read = std::function<Result<double>(const std::string& path, uint64_t bytes)>;

/// Files below the directory "upload", `bytes` in all.
Result<std::vector<std::string>> write_files(WeirPlace& weir, uint64_t bytes, uint64_t file_bytes) {
  TRY(io::make_directories(weir.file("upload"), 0755));
  std::vector<std::string> paths;
  for (uint64_t done = 0; done < bytes; done += file_bytes) {
    paths.push_back(weir.file("upload/" + std::to_string(done)));
    TRY(make_file(paths.back(), std::min(file_bytes, bytes - done)));
  }
  return paths;
}

Status remove_files(WeirPlace& weir, const std::vector<std::string>& paths) {
  TRY(weir.evict(weir.file("upload")));
  for (const std::string& path : paths) TRY(remove_path(path));
  return weir.collect();
}

/// What waits when a store that did nothing while files were written goes on. They are too short to be sent early.
Result<double> drain(StoreStage& stage, uint64_t bytes) {
  WeirPlace& weir = stage.weir();
  stage.hold(true);
  const auto paths = write_files(weir, bytes, kShortFileBytes);
  const auto left_bytes = weir.backlog_bytes();
  const Stopwatch watch;
  stage.hold(false);
  TRY(paths);
  TRY(left_bytes);
  TRY(weir.store(weir.file("upload")));
  const double speed = watch.megabytes_per_second(*left_bytes);
  TRY(remove_files(weir, *paths));
  return speed;
}

Measurement drained_upload(const Stage& stage, uint64_t bytes) {
  Measurement made;
  made.name = "drained upload (raw: a plain client)";
  made.unit = "MB/s";
  made.targets = {{Target::Of::kRaw, kShare}};
  made.places = {PlaceKind::kWeir, PlaceKind::kRaw};
  made.run = [=](Place& place) -> Result<double> {
    // Of an upload before this one nothing is read any more: it would fill the machine's memory.
    (*stage)->drop_newer_objects();
    if (place.kind() == PlaceKind::kRaw) return (*stage)->plain_upload(bytes, kPlainPuts);
    return drain(**stage, bytes);
  };
  return made;
}

/// From the first write until all is stored. The plain client only sends.
Measurement written_until_stored(const Stage& stage, uint64_t bytes) {
  Measurement made;
  made.name = "write one file until stored (raw: a plain client sends)";
  made.unit = "MB/s";
  made.places = {PlaceKind::kWeir, PlaceKind::kRaw};
  made.run = [=](Place& place) -> Result<double> {
    // Of an upload before this one nothing is read any more: it would fill the machine's memory.
    (*stage)->drop_newer_objects();
    if (place.kind() == PlaceKind::kRaw) return (*stage)->plain_upload(bytes, kPlainPuts);
    WeirPlace& weir = (*stage)->weir();
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const auto paths, write_files(weir, bytes, bytes));
    TRY(weir.store(weir.file("upload")));
    const double speed = watch.megabytes_per_second(bytes);
    TRY(remove_files(weir, paths));
    return speed;
  };
  return made;
}

Measurement cold_read(const std::string& name, const Read& read, const Stage& stage, uint64_t bytes) {
  Measurement made;
  made.name = "cold " + name + " from the store (raw: a plain client)";
  made.unit = "MB/s";
  made.targets = {{Target::Of::kRaw, kShare}};
  made.places = {PlaceKind::kWeir, PlaceKind::kRaw};
  made.run = [=](Place& place) -> Result<double> {
    if (place.kind() == PlaceKind::kRaw) return (*stage)->plain_download(kPlainGets);
    WeirPlace& weir = (*stage)->weir();
    TRY(weir.evict(weir.file("cold.bin")));
    TRY(weir.settle());
    return read(weir.file("cold.bin"), bytes);
  };
  return made;
}

Result<double> write_small_files(const std::string& directory, int files) {
  std::vector<Status> outcomes(kWriters);
  const auto write_share = [&](int writer) -> Status {
    Content content(kSmallBytes);
    for (int number = writer; number < files; number += kWriters) {
      const std::string path = directory + "/" + std::to_string(number);
      ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
      TRY(io::write_at(fd.get(), content.next(), 0));
      TRY(close_file(std::move(fd)));
    }
    return {};
  };
  const Stopwatch watch;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([&, writer] { outcomes[static_cast<size_t>(writer)] = write_share(writer); });
  for (std::thread& writer : writers) writer.join();
  const double speed = watch.per_second(files);
  for (const Status& outcome : outcomes) TRY(outcome);
  return speed;
}

Measurement small_files(const Stage& stage, int files) {
  Measurement made;
  made.name = "16 KiB files by 4 writers, until close()";
  made.unit = "files/s";
  made.targets = {{Target::Of::kNothing, kSmallFilesPerSecond}};
  made.places = {PlaceKind::kWeir, PlaceKind::kRaw};
  made.run = [=](Place& place) -> Result<double> {
    Place& used = place.kind() == PlaceKind::kRaw ? place : (*stage)->weir();
    const std::string directory = used.file("small");
    TRY(io::make_directories(directory, 0755));
    auto speed = write_small_files(directory, files);
    TRY(used.settle());
    (*stage)->drop_newer_objects();
    for (int number = 0; number < files; ++number) TRY(remove_path(directory + "/" + std::to_string(number)));
    if (&used != &place) TRY((*stage)->weir().collect());
    return speed;
  };
  return made;
}

}  // namespace

Group store_group(const Options& options) {
  const auto stage = std::make_shared<std::unique_ptr<StoreStage>>();
  const uint64_t bytes = options.sizes.store_bytes;
  Group group;
  group.name = "store";
  group.summary = "uploads to and cold reads from an S3 server in memory, beside a plain client";
  group.prepare = [=](Place& place) -> Status {
    if (place.kind() != PlaceKind::kWeir) return {};
    ASSIGN_OR_RETURN(*stage, StoreStage::set(options));
    TRY((*stage)->plain_upload(bytes, kPlainPuts));
    TRY(make_file((*stage)->weir().file("cold.bin"), bytes));
    TRY((*stage)->weir().settle());
    (*stage)->keep_objects();
    return {};
  };
  group.clean = [=](Place& place) -> Status {
    if (place.kind() == PlaceKind::kWeir) stage->reset();
    return {};
  };
  const auto by_read = [](const std::string& path, uint64_t size) {
    return read_sequentially(path, size, kRequestBytes, 1);
  };
  group.measurements.push_back(cold_read("read()", by_read, stage, bytes));
  group.measurements.push_back(cold_read("mmap", read_mapped, stage, bytes));
  group.measurements.push_back(drained_upload(stage, bytes));
  group.measurements.push_back(written_until_stored(stage, bytes));
  group.measurements.push_back(small_files(stage, options.sizes.stored_files));
  return group;
}

}  // namespace weir::bench
