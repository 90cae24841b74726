#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/io.h"
#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/stopwatch.h"

namespace weir::bench {

namespace {

const std::vector<PlaceKind> kAll{PlaceKind::kWeir, PlaceKind::kRaw, PlaceKind::kFloor, PlaceKind::kAgainst};

/// A directory of empty files that a round makes for itself.
class FileSet {
 public:
  FileSet(const Place& place, int count) : directory_(place.file("names")), count_(count) {}

  const std::string& directory() const { return directory_; }
  int count() const { return count_; }
  std::string path(int index, const char* prefix = "name") const {
    return fmt::format("{}/{}-{:06}", directory_, prefix, index);
  }

  Status make_directory() const { return io::make_directories(directory_, 0755); }
  Status create_all() const {
    for (int index = 0; index < count_; ++index) {
      ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path(index), O_WRONLY | O_CREAT | O_EXCL, 0644));
      TRY(close_file(std::move(fd)));
    }
    return {};
  }
  Status make() const {
    TRY(make_directory());
    return create_all();
  }
  Status remove() const {
    std::error_code failure;
    std::filesystem::remove_all(directory_, failure);
    if (failure) return error(Code::kIo, "remove {}: {}", directory_, failure.message());
    return {};
  }

 private:
  const std::string directory_;
  const int count_;
};

using Act = std::function<Status(const FileSet&)>;

Status stat_all(const FileSet& files) {
  struct stat attributes {};
  for (int index = 0; index < files.count(); ++index)
    if (::stat(files.path(index).c_str(), &attributes) != 0) return errno_error(errno, "stat " + files.path(index));
  return {};
}

Status list_all(const FileSet& files) {
  DIR* directory = ::opendir(files.directory().c_str());
  if (directory == nullptr) return errno_error(errno, "open " + files.directory());
  int found = 0;
  while (::readdir(directory) != nullptr) ++found;
  ::closedir(directory);
  if (found != files.count() + 2) return error(Code::kIo, "{} has {} names", files.directory(), found);
  return {};
}

Status rename_all(const FileSet& files) {
  for (int index = 0; index < files.count(); ++index)
    if (::rename(files.path(index).c_str(), files.path(index, "renamed").c_str()) != 0)
      return errno_error(errno, "rename " + files.path(index));
  return {};
}

Status unlink_all(const FileSet& files) {
  for (int index = 0; index < files.count(); ++index) TRY(remove_path(files.path(index)));
  return {};
}

/// Times `act` on a set of files after `before`.
Measurement timed(const std::string& name, int count, std::vector<Target> targets, Act before, Act act) {
  Measurement made;
  made.name = name;
  made.unit = "/s";
  made.targets = std::move(targets);
  made.places = kAll;
  made.run = [count, before = std::move(before), act = std::move(act)](Place& place) -> Result<double> {
    const FileSet files(place, count);
    TRY(files.remove());
    TRY(before(files));
    const Stopwatch watch;
    TRY(act(files));
    const double figure = watch.per_second(count);
    TRY(files.remove());
    return figure;
  };
  return made;
}

Status make_and_forget(const FileSet& files) {
  TRY(files.make());
  return drop_names();
}

Status make_and_stat(const FileSet& files) {
  TRY(files.make());
  return stat_all(files);
}

}  // namespace

Group name_group(const Sizes& sizes) {
  const Act make = [](const FileSet& files) { return files.make(); };
  const Act make_directory = [](const FileSet& files) { return files.make_directory(); };
  const Act create = [](const FileSet& files) { return files.create_all(); };
  const int count = sizes.names;
  Group group;
  group.name = "names";
  group.summary = "create, stat, readdir, rename and unlink of empty files, one after the other";
  auto& all = group.measurements;
  all.push_back(timed("create + close", count, {{Target::Of::kFloor, 0.5}}, make_directory, create));
  all.push_back(timed("stat, cached", count, {}, make_and_stat, stat_all));
  if (can_drop_caches())
    all.push_back(timed("stat, uncached", count, {{Target::Of::kFloor, 0.8}}, make_and_forget, stat_all));
  if (can_drop_caches()) all.push_back(timed("readdir, uncached", count, {}, make_and_forget, list_all));
  all.push_back(timed("readdir", count, {}, make, list_all));
  all.push_back(timed("rename", count, {}, make, rename_all));
  all.push_back(timed("unlink", count, {}, make, unlink_all));
  return group;
}

}  // namespace weir::bench
