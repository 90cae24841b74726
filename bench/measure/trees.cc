#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/stopwatch.h"
#include "bench/place/command.h"

namespace weir::bench {

namespace {

constexpr int kFilesInDirectory = 100;
constexpr uint64_t kSmallFileBytes = 4096;

const std::vector<PlaceKind> kDisks{PlaceKind::kWeir, PlaceKind::kRaw, PlaceKind::kAgainst};
const std::vector<PlaceKind> kAll{PlaceKind::kWeir, PlaceKind::kRaw, PlaceKind::kFloor, PlaceKind::kAgainst};

Measurement measured(const std::string& name, const std::string& unit, double share_of_raw,
                     const std::vector<PlaceKind>& places) {
  Measurement made;
  made.name = name;
  made.unit = unit;
  made.better = Better::kLess;
  made.targets = {{Target::Of::kRaw, share_of_raw}};
  made.places = places;
  return made;
}

/// Directories of small files with nothing in common.
Status make_tree(const std::string& directory, int files) {
  Content content(kSmallFileBytes);
  for (int index = 0; index < files; ++index) {
    const std::string part = fmt::format("{}/part-{:04}", directory, index / kFilesInDirectory);
    if (index % kFilesInDirectory == 0) TRY(io::make_directories(part, 0755));
    ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(fmt::format("{}/file-{:02}", part, index % kFilesInDirectory),
                                                      O_WRONLY | O_CREAT | O_EXCL, 0644));
    TRY(io::write_at(fd.get(), content.next(), 0));
    TRY(close_file(std::move(fd)));
  }
  return {};
}

std::string archive_of(const Place& place) {
  return "/tmp/weir-bench-" + std::to_string(::getpid()) + "-" + place.label() + ".tar";
}

Status make_archive(const Place& place, int files) {
  const std::string source = archive_of(place) + ".d";
  TRY(make_tree(source + "/tree", files));
  TRY(run({"tar", "--create", "--file", archive_of(place), "--directory", source, "tree"}));
  return run({"rm", "-rf", source});
}

Measurement untar(int files) {
  Measurement made = measured(fmt::format("untar {} files of 4 KiB", files), "s", 8, kAll);
  made.run = [files](Place& place) -> Result<double> {
    if (::access(archive_of(place).c_str(), F_OK) != 0) TRY(make_archive(place, files));
    TRY(run({"rm", "-rf", "tree"}, place.directory()));
    TRY(place.settle());
    const Stopwatch watch;
    TRY(run({"tar", "--extract", "--file", archive_of(place)}, place.directory()));
    return watch.seconds();
  };
  return made;
}

/// Of the tree that untar() left; where there is none any more, it is unpacked anew.
Measurement remove_tree(int files) {
  Measurement made = measured(fmt::format("rm -rf of {} files of 4 KiB", files), "s", 8, kAll);
  made.run = [files](Place& place) -> Result<double> {
    if (::access(archive_of(place).c_str(), F_OK) != 0) TRY(make_archive(place, files));
    if (::access(place.file("tree").c_str(), F_OK) != 0)
      TRY(run({"tar", "--extract", "--file", archive_of(place)}, place.directory()));
    TRY(place.settle());
    const Stopwatch watch;
    TRY(run({"rm", "-rf", "tree"}, place.directory()));
    return watch.seconds();
  };
  return made;
}

Measurement rename_directory(int entries) {
  Measurement made = measured(fmt::format("rename of a directory with {} entries", entries), "ms", 0, kDisks);
  made.targets = {{Target::Of::kNothing, 5}};
  made.run = [entries](Place& place) -> Result<double> {
    const std::string here = place.file("renamed-a");
    const std::string there = place.file("renamed-b");
    if (::access(here.c_str(), F_OK) != 0) {
      TRY(io::make_directories(here, 0755));
      for (int index = 0; index < entries; ++index) {
        ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(fmt::format("{}/entry-{}", here, index), O_WRONLY | O_CREAT));
        TRY(close_file(std::move(fd)));
      }
    }
    const Stopwatch watch;
    if (::rename(here.c_str(), there.c_str()) != 0) return errno_error(errno, "rename " + here);
    const double figure = watch.milliseconds();
    if (::rename(there.c_str(), here.c_str()) != 0) return errno_error(errno, "rename " + there);
    return figure;
  };
  return made;
}

Command git(std::vector<std::string> arguments) {
  Command command{"git", "-c",       "user.name=bench", "-c", "user.email=bench@localhost", "-c", "safe.directory=*",
                  "-c",  "gc.auto=0"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

Status make_checkout(const std::string& directory, int files) {
  TRY(io::make_directories(directory, 0755));
  TRY(run(git({"init", "--quiet"}), directory));
  TRY(make_tree(directory, files));
  TRY(run(git({"add", "--all"}), directory));
  TRY(run(git({"commit", "--quiet", "--message", "all"}), directory));
  return run(git({"status", "--porcelain"}), directory);
}

Measurement git_status(int files) {
  Measurement made = measured(fmt::format("git status of {} files, repeated", files), "s", 2, kDisks);
  made.run = [files](Place& place) -> Result<double> {
    const std::string directory = place.file("checkout");
    if (::access(directory.c_str(), F_OK) != 0) TRY(make_checkout(directory, files));
    const Stopwatch watch;
    TRY(run(git({"status", "--porcelain"}), directory));
    return watch.seconds();
  };
  return made;
}

Status clean(Place& place) {
  TRY(run({"rm", "-rf", "tree", "renamed-a", "checkout"}, place.directory()));
  return run({"rm", "-f", archive_of(place)});
}

}  // namespace

Group tree_group(const Sizes& sizes) {
  Group group;
  group.name = "trees";
  group.summary = "tar, rm, git status, and the rename of a big directory";
  group.clean = clean;
  group.measurements = {untar(sizes.unpacked_files), remove_tree(sizes.unpacked_files),
                        rename_directory(sizes.renamed_entries), git_status(sizes.checkout_files)};
  return group;
}

}  // namespace weir::bench
