#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/random.h"
#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/stopwatch.h"

namespace weir::bench {

namespace {

constexpr uint64_t kKibibyte = 1u << 10;
constexpr uint64_t kMebibyte = 1u << 20;
constexpr size_t kPageBytes = 4096;
constexpr uint64_t kInPlaceBytes = 64 * kMebibyte;
constexpr int kInPlaceWrites = 4000;
constexpr int kSmallFiles = 500;
constexpr int kMiddleFiles = 50;

const std::vector<PlaceKind> kDisks{PlaceKind::kWeir, PlaceKind::kRaw, PlaceKind::kAgainst};

struct Shape {
  std::string name;
  uint64_t bytes;
  int files;
};

std::string path_of(const Place& place, int index) { return place.file("write-" + std::to_string(index)); }

Status write_one(const std::string& path, uint64_t bytes, bool sync) {
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
  TRY(write_content(fd.get(), bytes));
  if (sync) TRY(io::sync_data(fd.get(), path));
  return close_file(std::move(fd));
}

Status remove_all(const Place& place, int files) {
  for (int index = 0; index < files; ++index) TRY(remove_path(path_of(place, index)));
  return {};
}

Measurement new_files(const Shape& shape, bool sync) {
  Measurement made;
  made.name = "write " + shape.name + (sync ? " until fsync" : " until close");
  const bool counts_files = shape.bytes < kMebibyte;
  made.unit = counts_files ? "files/s" : "MB/s";
  made.places = kDisks;
  if (shape.files == 1 && !sync) made.targets = {{Target::Of::kRaw, 0.25}};
  made.run = [shape, sync, counts_files](Place& place) -> Result<double> {
    TRY(place.settle());
    const int files = sync && shape.files > 1 ? shape.files / 10 : shape.files;
    const Stopwatch watch;
    for (int index = 0; index < files; ++index) TRY(write_one(path_of(place, index), shape.bytes, sync));
    const double figure =
        counts_files ? watch.per_second(files) : watch.megabytes_per_second(static_cast<uint64_t>(files) * shape.bytes);
    TRY(remove_all(place, files));
    return figure;
  };
  return made;
}

Measurement last_close(uint64_t bytes) {
  Measurement made;
  made.name = "close() of a big new file, after the last write";
  made.unit = "ms";
  made.better = Better::kLess;
  made.targets = {{Target::Of::kNothing, 50}};
  made.places = kDisks;
  made.run = [bytes](Place& place) -> Result<double> {
    TRY(place.settle());
    ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path_of(place, 0), O_WRONLY | O_CREAT | O_EXCL, 0644));
    TRY(write_content(fd.get(), bytes));
    const Stopwatch watch;
    TRY(close_file(std::move(fd)));
    const double figure = watch.milliseconds();
    TRY(remove_all(place, 1));
    return figure;
  };
  return made;
}

Measurement disk_use(uint64_t bytes) {
  Measurement made;
  made.name = "local disk taken by a new file, to its size";
  made.unit = "x";
  made.better = Better::kLess;
  made.targets = {{Target::Of::kNothing, 1.1}};
  made.places = {PlaceKind::kWeir};
  made.rounds_max = 1;
  made.run = [bytes](Place& place) -> Result<double> {
    TRY(place.settle());
    ASSIGN_OR_RETURN(const auto before, place.local_bytes());
    TRY(write_one(path_of(place, 0), bytes, false));
    ASSIGN_OR_RETURN(const auto after, place.local_bytes());
    TRY(remove_all(place, 1));
    return static_cast<double>(after.value_or(0) - before.value_or(0)) / static_cast<double>(bytes);
  };
  return made;
}

Measurement in_place() {
  Measurement made;
  made.name = "write 4 KiB in place, at random, until close";
  made.unit = "writes/s";
  made.places = kDisks;
  made.run = [](Place& place) -> Result<double> {
    const std::string path = path_of(place, 0);
    TRY(make_file(path, kInPlaceBytes));
    TRY(place.settle());
    Content content(kPageBytes);
    SeededRandom random(SystemRandom().next_u64());
    const Stopwatch watch;
    ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_WRONLY));
    for (int index = 0; index < kInPlaceWrites; ++index)
      TRY(io::write_at(fd.get(), content.next(), random.below(kInPlaceBytes / kPageBytes) * kPageBytes));
    TRY(close_file(std::move(fd)));
    const double figure = watch.per_second(kInPlaceWrites);
    TRY(remove_path(path));
    return figure;
  };
  return made;
}

}  // namespace

Group write_group(const Sizes& sizes) {
  Group group;
  group.name = "writes";
  group.summary = "new files until close and until fsync, and small writes in place";
  const std::string big = sizes.write_bytes >= 1024 * kMebibyte
                              ? std::to_string(sizes.write_bytes / (1024 * kMebibyte)) + " GiB"
                              : std::to_string(sizes.write_bytes / kMebibyte) + " MiB";
  const Shape shapes[] = {
      {"1 KiB", kKibibyte, kSmallFiles}, {"1 MiB", kMebibyte, kMiddleFiles}, {big, sizes.write_bytes, 1}};
  for (const Shape& shape : shapes)
    for (const bool sync : {false, true}) group.measurements.push_back(new_files(shape, sync));
  group.measurements.push_back(last_close(sizes.write_bytes));
  group.measurements.push_back(disk_use(sizes.write_bytes));
  group.measurements.push_back(in_place());
  return group;
}

}  // namespace weir::bench
