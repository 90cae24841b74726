#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "world.h"

namespace weir::exerciser {
namespace {

std::string flags_text(int flags) {
  std::string text = std::array{"RDONLY", "WRONLY", "RDWR", "?"}[static_cast<size_t>(flags & O_ACCMODE)];
  const std::pair<int, const char*> names[] = {
      {O_CREAT, "CREAT"},   {O_EXCL, "EXCL"},         {O_TRUNC, "TRUNC"},         {O_APPEND, "APPEND"},
      {O_DIRECT, "DIRECT"}, {O_NOFOLLOW, "NOFOLLOW"}, {O_DIRECTORY, "DIRECTORY"}, {O_SYNC, "SYNC"}};
  for (const auto& [flag, name] : names) {
    if ((flags & flag) == flag) text += fmt::format("|{}", name);
  }
  return text;
}

}  // namespace

void World::open_file() {
  if (handles_.size() >= kHandlesMax) return close_handle();
  const std::string name = dice_.percent(90) ? random_file_name() : random_name();
  int flags = dice_.pick({O_RDONLY, O_WRONLY, O_RDWR, O_RDWR});
  if (dice_.percent(50)) flags |= O_CREAT;
  if (dice_.percent(10)) flags |= O_EXCL & ((flags & O_CREAT) != 0 ? O_EXCL : 0);
  if (dice_.percent(15)) flags |= O_TRUNC;
  if (dice_.percent(15)) flags |= O_APPEND;
  if (dice_.percent(12)) flags |= O_DIRECT;
  if (dice_.percent(5)) flags |= O_NOFOLLOW;
  if (dice_.percent(2)) flags |= O_DIRECTORY;
  if (dice_.percent(2)) flags |= O_SYNC;
  // Together they are refused by newer kernels and mean something else on older ones.
  if ((flags & O_DIRECTORY) != 0) flags &= ~O_CREAT;
  struct stat before {};
  const std::string plain = path(kPlain, name);
  const bool existed = stat(plain.c_str(), &before) == 0;
  begin(fmt::format("open {} {}", name, flags_text(flags)));
  const mode_t mode = dice_.pick<mode_t>({0600, 0644, 0755, 04755});
  finish_open(both([&](int side) { return ::open(path(side, name).c_str(), flags, mode); }), flags, name, existed);
}

void World::finish_open(const Pair& pair, int flags, const std::string& name, bool existed) {
  end(pair);
  expect(pair.same_error(), "Weir returns " + pair.weir.text() + ", the plain disk " + pair.plain.text());
  if (!pair.ok()) return;
  const int plain_fd = static_cast<int>(pair.plain.value);
  struct stat status {};
  expect(fstat(plain_fd, &status) == 0, "fstat of what was opened fails");
  if (!S_ISREG(status.st_mode)) {
    ::close(static_cast<int>(pair.weir.value));
    ::close(plain_fd);
    return;
  }
  if (!existed) {
    const bool big = name.ends_with("big");
    auto content = std::make_shared<Content>(big ? kBigFileBytes : kSmallFileBytes, false);
    remember(plain_fd, static_cast<int>(pair.weir.value), std::move(content));
  }
  const auto found = known_.find(status.st_ino);
  expect(found != known_.end(), "a file was opened that nobody made");
  if ((flags & O_TRUNC) != 0) found->second.content->resize(0);
  add_handle(pair, flags, found->second.content, name);
}

void World::add_handle(const Pair& fds, int flags, std::shared_ptr<Content> content, const std::string& name) {
  handles_.push_back(
      {{static_cast<int>(fds.weir.value), static_cast<int>(fds.plain.value)}, flags, std::move(content), name});
}

void World::open_shared_file() {
  if (handles_.size() >= kHandlesMax) return close_handle();
  if (options_.shared.empty()) return;
  const SharedFile& file = options_.shared[dice_.below(options_.shared.size())];
  int flags = dice_.pick({O_RDONLY, O_RDONLY, O_RDWR});
  if (dice_.percent(10)) flags |= O_TRUNC;
  if (dice_.percent(10)) flags |= O_APPEND;
  if (dice_.percent(12)) flags |= O_DIRECT;
  const Holding holding(*file.content);
  begin(fmt::format("open shared {} {}", file.name, flags_text(flags)));
  const Pair pair = both(
      [&](int side) { return ::open((options_.tops[static_cast<size_t>(side)] + "/" + file.name).c_str(), flags); });
  end(pair);
  expect(pair.ok(), "Weir returns " + pair.weir.text() + ", the plain disk " + pair.plain.text());
  if ((flags & O_TRUNC) != 0) file.content->resize(0);
  add_handle(pair, flags, file.content, file.name);
}

void World::open_temporary() {
  if (options_.no_unnamed_files) return;
  if (handles_.size() >= kHandlesMax) return close_handle();
  const std::string directory = dice_.pick({".", "d0", "d1", "a"});
  begin("open " + directory + " TMPFILE");
  const Pair pair = both([&](int side) { return ::open(path(side, directory).c_str(), O_TMPFILE | O_RDWR, 0600); });
  finish_open(pair, O_RDWR, "(temporary)", false);
}

void World::link_temporary() {
  Handle* handle = random_handle();
  if (handle == nullptr || handle->content->shared()) return;
  const std::string name = random_file_name();
  begin(fmt::format("linkat {} to {}", describe(*handle), name));
  compare(both([&](int side) {
    const std::string from = fmt::format("/proc/self/fd/{}", handle->fds[static_cast<size_t>(side)]);
    return linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path(side, name).c_str(), AT_SYMLINK_FOLLOW);
  }));
}

void World::close_handle() {
  if (!handles_.empty()) close(dice_.below(handles_.size()));
}

void World::close(size_t index) {
  const Handle handle = handles_[index];
  if (options_.unmap_before_close) unmap_all_of(handle.fds[kWeir]);
  handles_.erase(handles_.begin() + static_cast<ptrdiff_t>(index));
  begin("close " + describe(handle));
  Pair pair{Outcome::of(::close(handle.fds[kWeir])), Outcome::of(::close(handle.fds[kPlain]))};
  // It is closed all the same, and what was written is there and will be published.
  if (options_.wait_for_room && pair.weir.error == ENOSPC) pair.weir = {};
  compare(pair);
}

// What a shell does: a FLUSH while the file stays open.
void World::duplicate_and_close() {
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  begin("dup and close " + describe(*handle));
  compare(both([&](int side) { return ::close(dup(handle->fds[static_cast<size_t>(side)])); }));
}

}  // namespace weir::exerciser
