#include "power_disk.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/check.h"
#include "base/result.h"

namespace weir::testing {

namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kSectorBytes = 512;
constexpr size_t kPageStates = 4;

thread_local bool is_disk_itself = false;

std::string page_of(int fd, uint64_t page) {
  std::string bytes(kPageBytes, '\0');
  CHECK(::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(page * kPageBytes)) >= 0);
  return bytes;
}

uint64_t size_of(int fd) {
  struct stat attributes {};
  CHECK(::fstat(fd, &attributes) == 0);
  return static_cast<uint64_t>(attributes.st_size);
}

void write_whole(int fd, const std::string& bytes, uint64_t offset) {
  CHECK(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size()));
}

void copy(int from, int to, uint64_t length) {
  off_t position = 0;
  while (static_cast<uint64_t>(position) < length) {
    off_t target = position;
    CHECK(::copy_file_range(from, &position, to, &target, length - static_cast<uint64_t>(position), 0) > 0);
  }
}

}  // namespace

std::string absolute_path(int directory, const char* path) {
  if (path[0] == '/') return path;
  std::string base(4096, '\0');
  const std::string link = directory == AT_FDCWD ? "/proc/self/cwd" : fmt::format("/proc/self/fd/{}", directory);
  ssize_t length = ::readlink(link.c_str(), base.data(), base.size());
  base.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return base + "/" + path;
}

/// One call at a time, and what the disk itself does is no call.
class PowerDisk::Guard {
 public:
  Guard() { is_disk_itself = true; }
  ~Guard() { is_disk_itself = false; }
};

PowerDisk::PowerDisk(std::string root) : root_(std::move(root)) {
  Guard guard;
  struct stat attributes {};
  CHECK(::stat(root_.c_str(), &attributes) == 0);
  device_ = attributes.st_dev;
  root_number_ = attributes.st_ino;
  {
    MutexLock lock(mutex_);
    add_tree(root_);
  }
  PowerDisk* none = nullptr;
  CHECK(current_.compare_exchange_strong(none, this));
}

PowerDisk::~PowerDisk() {
  current_ = nullptr;
  Guard guard;
  MutexLock lock(mutex_);
  for (auto& [number, file] : files_) ::close(file.fd);
}

PowerDisk* PowerDisk::following(const std::string& path) {
  PowerDisk* disk = current_;
  if (disk == nullptr || is_disk_itself || disk->is_cut()) return nullptr;
  return path.starts_with(disk->root_ + "/") ? disk : nullptr;
}

PowerDisk* PowerDisk::following(int fd) {
  PowerDisk* disk = current_;
  if (disk == nullptr || is_disk_itself) return nullptr;
  MutexLock lock(disk->mutex_);
  return !disk->is_cut_ && disk->file_of(fd) != nullptr ? disk : nullptr;
}

bool PowerDisk::is_cut() const {
  MutexLock lock(mutex_);
  return is_cut_;
}

uint64_t PowerDisk::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

void PowerDisk::cut_at(uint64_t call, uint64_t seed, std::string image) {
  MutexLock lock(mutex_);
  cut_call_ = calls_ + call;
  cut_seed_ = seed;
  cut_image_ = std::move(image);
}

void PowerDisk::cut_now(uint64_t seed, std::string image) {
  Guard guard;
  MutexLock lock(mutex_);
  if (!is_cut_) cut(seed, image);
}

// ---- Account of what is there.

PowerDisk::Number PowerDisk::add(int fd) {
  struct stat attributes {};
  CHECK(::fstat(fd, &attributes) == 0);
  if (files_.contains(attributes.st_ino)) return attributes.st_ino;
  File file;
  file.directory = S_ISDIR(attributes.st_mode);
  file.fd = ::open(fmt::format("/proc/self/fd/{}", fd).c_str(), (file.directory ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  CHECK(file.fd >= 0);
  file.synced_size = file.directory ? 0 : static_cast<uint64_t>(attributes.st_size);
  files_.emplace(attributes.st_ino, std::move(file));
  return attributes.st_ino;
}

void PowerDisk::add_tree(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  Number number = add(fd);
  ::close(fd);
  if (path != root_) synced_names_[place_of(path)] = number;
  if (!std::filesystem::is_directory(path)) return;
  for (const auto& entry : std::filesystem::directory_iterator(path)) add_tree(entry.path());
}

PowerDisk::Place PowerDisk::place_of(const std::string& path) const {
  size_t slash = path.rfind('/');
  struct stat attributes {};
  if (::stat(path.substr(0, slash).c_str(), &attributes) != 0) return {0, ""};
  return {attributes.st_ino, path.substr(slash + 1)};
}

PowerDisk::File* PowerDisk::file_of(int fd) {
  struct stat attributes {};
  if (::fstat(fd, &attributes) != 0 || attributes.st_dev != device_) return nullptr;
  auto found = files_.find(attributes.st_ino);
  return found == files_.end() ? nullptr : &found->second;
}

void PowerDisk::begin_call() {
  if (++calls_ > cut_call_ && !is_cut_) cut(cut_seed_, cut_image_);
}

void PowerDisk::note(Change change) { changes_.push_back(std::move(change)); }

void PowerDisk::remember_pages(File& file, uint64_t offset, uint64_t length) {
  if (length == 0) return;
  for (uint64_t page = offset / kPageBytes; page <= (offset + length - 1) / kPageBytes; ++page) {
    std::vector<std::string>& states = file.pages[page];
    if (states.size() < kPageStates) states.push_back(page_of(file.fd, page));
  }
}

void PowerDisk::note_size(File& file, uint64_t size) {
  if (size < size_of(file.fd)) {
    remember_pages(file, size, size_of(file.fd) - size);
    file.sizes.clear();
    file.became_shorter = true;
  }
  file.sizes.push_back(size);
}

void PowerDisk::sync_file(File& file) {
  file.pages.clear();
  file.sizes.clear();
  file.became_shorter = false;
  file.synced_size = size_of(file.fd);
}

/// With all earlier changes of the same names.
void PowerDisk::sync_names(Number directory) {
  std::set<Place> wanted;
  std::vector<Change> later;
  std::vector<Change> now;
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    bool taken = std::any_of(change->effects.begin(), change->effects.end(), [&](const auto& effect) {
      return effect.first.first == directory || wanted.contains(effect.first);
    });
    for (const auto& effect : change->effects)
      if (taken) wanted.insert(effect.first);
    (taken ? now : later).push_back(std::move(*change));
  }
  for (auto change = now.rbegin(); change != now.rend(); ++change) {
    for (const auto& [place, number] : change->effects) {
      if (number == 0)
        synced_names_.erase(place);
      else
        synced_names_[place] = number;
    }
  }
  changes_.assign(std::make_move_iterator(later.rbegin()), std::make_move_iterator(later.rend()));
}

// ---- Calls.

int PowerDisk::open(int directory, const char* path, int flags, unsigned mode) {
  Guard guard;
  MutexLock lock(mutex_);
  const std::string absolute = absolute_path(directory, path);
  struct stat before {};
  const bool existed = ::stat(absolute.c_str(), &before) == 0;
  begin_call();
  if (existed && (flags & O_TRUNC) != 0)
    if (auto file = files_.find(before.st_ino); file != files_.end()) note_size(file->second, 0);
  int fd = static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
  if (fd < 0 || existed) return fd;
  Number number = add(fd);
  note({{{place_of(absolute), number}}});
  return fd;
}

long PowerDisk::write(int fd, const void* bytes, size_t count, int64_t offset) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  File& file = *file_of(fd);
  const bool positioned = offset >= 0;
  if (!positioned) {
    const bool appends = (::fcntl(fd, F_GETFL) & O_APPEND) != 0;
    offset = appends ? static_cast<int64_t>(size_of(fd)) : ::lseek(fd, 0, SEEK_CUR);
  }
  const auto start = static_cast<uint64_t>(offset);
  remember_pages(file, start, count);
  if (start + count > size_of(fd)) note_size(file, start + count);
  return positioned ? ::syscall(SYS_pwrite64, fd, bytes, count, offset) : ::syscall(SYS_write, fd, bytes, count);
}

int PowerDisk::resize(int fd, int64_t size) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  note_size(*file_of(fd), static_cast<uint64_t>(size));
  return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}

int PowerDisk::allocate(int fd, int mode, int64_t offset, int64_t length) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  File& file = *file_of(fd);
  const auto start = static_cast<uint64_t>(offset);
  const auto end = static_cast<uint64_t>(offset + length);
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) remember_pages(file, start, end - start);
  if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && end > size_of(fd)) note_size(file, end);
  return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, length));
}

int PowerDisk::sync(int fd) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  File& file = *file_of(fd);
  struct stat attributes {};
  CHECK(::fstat(fd, &attributes) == 0);
  if (file.directory)
    sync_names(attributes.st_ino);
  else
    sync_file(file);
  return 0;
}

int PowerDisk::sync_all(int) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  for (auto& [number, file] : files_) {
    if (file.directory)
      sync_names(number);
    else
      sync_file(file);
  }
  return 0;
}

int PowerDisk::make_directory(int directory, const char* path, unsigned mode) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  int made = static_cast<int>(::syscall(SYS_mkdirat, directory, path, mode));
  if (made != 0) return made;
  const std::string absolute = absolute_path(directory, path);
  int fd = ::open(absolute.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK(fd >= 0);
  note({{{place_of(absolute), add(fd)}}});
  ::close(fd);
  return 0;
}

int PowerDisk::rename(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  CHECK((flags & ~RENAME_NOREPLACE) == 0);
  const Place source = place_of(absolute_path(from_directory, from));
  const Place target = place_of(absolute_path(to_directory, to));
  struct stat attributes {};
  const bool there = ::stat(absolute_path(from_directory, from).c_str(), &attributes) == 0;
  int moved = static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
  if (moved == 0 && there) note({{{source, 0}, {target, attributes.st_ino}}});
  return moved;
}

int PowerDisk::link(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  int linked = static_cast<int>(::syscall(SYS_linkat, from_directory, from, to_directory, to, flags));
  if (linked != 0) return linked;
  const std::string target = absolute_path(to_directory, to);
  struct stat attributes {};
  CHECK(::stat(target.c_str(), &attributes) == 0);
  note({{{place_of(target), attributes.st_ino}}});
  return 0;
}

int PowerDisk::remove(int directory, const char* path, int flags) {
  Guard guard;
  MutexLock lock(mutex_);
  begin_call();
  const Place place = place_of(absolute_path(directory, path));
  int removed = static_cast<int>(::syscall(SYS_unlinkat, directory, path, flags));
  if (removed == 0) note({{{place, 0}}});
  return removed;
}

// ---- The cut.

void PowerDisk::cut(uint64_t seed, const std::string& image) {
  is_cut_ = true;
  SeededRandom random(seed);
  const std::map<Place, Number> names = names_after_cut(random);
  std::map<Number, std::string> written;
  write_directory(names, root_number_, image, written, random);
}

std::map<PowerDisk::Place, PowerDisk::Number> PowerDisk::names_after_cut(SeededRandom& random) const {
  std::map<Place, Number> names = synced_names_;
  const uint64_t kind = random.below(4);  // none, all, the first ones, any
  const uint64_t first = kind == 0 ? 0 : kind == 2 ? random.below(changes_.size() + 1) : changes_.size();
  std::set<Place> lost;
  for (uint64_t i = 0; i < first; ++i) {
    const auto& effects = changes_[i].effects;
    bool gone = kind == 3 && random.below(2) == 0;
    for (const auto& effect : effects) gone = gone || lost.contains(effect.first);
    for (const auto& [place, number] : effects) {
      if (gone)
        lost.insert(place);
      else if (number == 0)
        names.erase(place);
      else
        names[place] = number;
    }
  }
  return names;
}

void PowerDisk::write_directory(const std::map<Place, Number>& names, Number directory, const std::string& path,
                                std::map<Number, std::string>& written, SeededRandom& random) const {
  CHECK(::mkdir(path.c_str(), 0700) == 0);
  for (auto name = names.lower_bound({directory, ""}); name != names.end() && name->first.first == directory; ++name) {
    const auto& [place, number] = *name;
    const std::string child = path + "/" + place.second;
    const File& file = files_.at(number);
    if (file.directory) {
      write_directory(names, number, child, written, random);
    } else if (auto twin = written.find(number); twin != written.end()) {
      CHECK(::link(twin->second.c_str(), child.c_str()) == 0);
    } else {
      write_file(file, child, random);
      written[number] = child;
    }
  }
}

void PowerDisk::write_file(const File& file, const std::string& path, SeededRandom& random) const {
  const uint64_t kind = random.below(4);  // none, all, mixed
  const uint64_t now = size_of(file.fd);
  uint64_t size = kind == 0 ? file.synced_size : now;
  if (kind > 1) {
    std::vector<uint64_t> sizes = file.sizes;
    if (!file.became_shorter) sizes.push_back(file.synced_size);
    if (!sizes.empty()) size = sizes[random.below(sizes.size())];
  }
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && ::ftruncate(fd, static_cast<off_t>(size)) == 0);
  copy(file.fd, fd, std::min(size, now));
  for (const auto& [page, earlier] : file.pages) {
    if (kind == 1 || page * kPageBytes >= size) continue;
    std::string bytes = earlier.front();
    if (kind > 1) {
      std::vector<std::string> states = earlier;
      states.push_back(page_of(file.fd, page));
      bytes = states[random.below(states.size())];
      const std::string& other = states[random.below(states.size())];
      const bool torn = random.below(3) == 0;
      for (uint64_t sector = 0; torn && sector < kPageBytes; sector += kSectorBytes)
        if (random.below(2) == 0) bytes.replace(sector, kSectorBytes, other, sector, kSectorBytes);
    }
    bytes.resize(std::min(kPageBytes, size - page * kPageBytes));
    write_whole(fd, bytes, page * kPageBytes);
  }
  ::close(fd);
}

}  // namespace weir::testing
