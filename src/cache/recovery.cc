#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/state.h"

namespace weir::cache {

namespace {

bool disk_refuses(const Error& failed) {
  return failed.code == Code::kNoSpace || failed.code == Code::kReadOnly || failed.code == Code::kAccess;
}

}  // namespace

Cache::State::State(const Options& an_options, Clock& a_clock, Directory a_directory)
    : options(an_options),
      clock(a_clock),
      directory(std::move(a_directory)),
      journal_sync([this] { return sync_journal(); }),
      barrier_sync([this]() -> Status {
        if (::syncfs(directory.fd()) != 0) return errno_error(errno, fmt::format("sync the disk of {}", layout.root()));
        return journal->sync();
      }) {}

Cache::State::~State() {
  if (house.joinable()) {
    {
      MutexLock lock(house_mutex);
      stopping = true;
      house_wake.notify_all();
    }
    house.join();
  }
  if (!recovery_done) return;
  save_uses();
  if (Status marked = index->put_clean_mark(small->contents(), small->bytes()); !marked)
    log::warning("{}", marked.error().what);
}

Status Cache::State::sync_journal() {
  if (staging_names_unsynced.exchange(false)) {
    Status synced = io::sync_directory(layout.staging());
    if (!synced) staging_names_unsynced = true;
    TRY(synced);
  }
  return journal->sync();
}

Status Cache::State::open(const LostContent& lost) {
  TRY(open_space());
  std::vector<Journal::ImageRecord> unstored;
  TRY(open_journal(unstored));
  TRY(open_index());
  if (index_is_new || directory.boot_changed()) TRY(scan_image_files(unstored));
  for (const Journal::ImageRecord& record : unstored) TRY(recover_unstored(record, lost));
  TRY(recover_staging(unstored));
  if (directory.is_new()) TRY(directory.save_boot());
  recovery_done = true;
  house = std::thread([this] { keep_house(); });
  return {};
}

Status Cache::State::open_space() {
  ASSIGN_OR_RETURN(DiskSpace disk, disk_space(directory.fd()));
  memory = std::make_unique<DatabaseMemory>(disk.total_bytes);
  segment_bytes = std::clamp(disk.total_bytes / 512, limits::kCacheSegmentBytes / 16, limits::kCacheSegmentBytes);
  ASSIGN_OR_RETURN(space,
                   Space::open(
                       directory.fd(), options.reserve_bytes, [this](uint64_t bytes) { return make_room(bytes); },
                       [this] { return index_database->unwritten_bytes() + journal_database->unwritten_bytes(); }));
  return {};
}

Status Cache::State::open_journal(std::vector<Journal::ImageRecord>& unstored) {
  Status loaded = load_journal(unstored);
  if (loaded) return {};
  const Error& cause = loaded.error();
  if (disk_refuses(cause))
    return error(cause.code, "cache directory {} cannot be written: {}", layout.root(), cause.what);
  return error(cause.code,
               "the journal of cache directory {} is damaged, and only it knows what is not stored yet; restore it, or "
               "give this cache up by removing the directory: {}",
               layout.root(), cause.what);
}

Status Cache::State::load_journal(std::vector<Journal::ImageRecord>& unstored) {
  ASSIGN_OR_RETURN(journal_database, Database::open(layout.journal(), *memory));
  journal = std::make_unique<Journal>(*journal_database);
  return journal->load([&](uint64_t sequence, const UnstoredImage& row) { unstored.push_back({sequence, row}); });
}

Status Cache::State::open_index() {
  std::error_code ignored;
  std::filesystem::remove_all(layout.damaged_index(), ignored);
  Status loaded = load_index();
  if (!loaded && !disk_refuses(loaded.error())) {
    log::warning("the index of cache directory {} is damaged and is built anew from the files: {}", layout.root(),
                 loaded.error().what);
    close_index();
    if (::rename(layout.index().c_str(), layout.damaged_index().c_str()) != 0)
      return errno_error(errno, fmt::format("move {} away", layout.index()));
    loaded = load_index();
    std::filesystem::remove_all(layout.damaged_index(), ignored);
  }
  if (loaded) return {};
  return error(loaded.error().code, "cache directory {} cannot be written: {}", layout.root(), loaded.error().what);
}

Status Cache::State::load_index() {
  ASSIGN_OR_RETURN(index_database, Database::open(layout.index(), *memory));
  index = std::make_unique<Index>(*index_database);
  small = std::make_unique<SmallStore>(*index_database, locks, layout, segment_bytes);
  ASSIGN_OR_RETURN(index_is_new, index->is_new());
  TRY(small->open(!index_is_new));
  TRY(index->for_each([&](const ManifestId& id, const ImageRow& row) { images.put(id, ImageEntry::of(row)); }));
  uint64_t contents = 0;
  uint64_t bytes = 0;
  ASSIGN_OR_RETURN(bool clean, index->take_clean_mark(contents, bytes));
  if (!clean) return small->count();
  small->set_counts(contents, bytes);
  return {};
}

void Cache::State::close_index() {
  small.reset();
  index.reset();
  index_database.reset();
  images.clear();
}

Status Cache::State::scan_image_files(const std::vector<Journal::ImageRecord>& unstored) {
  std::set<ManifestId> needed;
  for (const Journal::ImageRecord& record : unstored) needed.insert(record.row.id);
  for (unsigned fan = 0; fan < 256; ++fan) {
    const std::string directory_path = layout.images(static_cast<uint8_t>(fan));
    ASSIGN_OR_RETURN(std::vector<std::string> names, list_directory(directory_path));
    for (const std::string& name : names) {
      const std::string path = directory_path + "/" + name;
      std::optional<ImageFileName> file = parse_image_name(name);
      if (!file || images.find(file->id) || (!file->final && needed.contains(file->id))) continue;
      if (!file->final) {
        TRY(io::remove_file(path));
        continue;
      }
      struct stat attributes {};
      if (::stat(path.c_str(), &attributes) != 0) return errno_error(errno, fmt::format("stat {}", path));
      ImageRow row{.final = true, .uses = 1, .size = static_cast<uint64_t>(attributes.st_size), .boot = boot};
      row.disk_bytes = static_cast<uint64_t>(attributes.st_blocks) * 512;
      row.last_used_ns = attributes.st_mtim.tv_sec * 1'000'000'000 + attributes.st_mtim.tv_nsec;
      row.present_chunks = static_cast<uint32_t>(chunk_count(row.size));
      TRY(index->save(file->id, row, {}));
      images.put(file->id, ImageEntry::of(row));
    }
  }
  return {};
}

Status Cache::State::recover_staging(const std::vector<Journal::ImageRecord>& unstored) {
  uint64_t last = 0;
  for (const Journal::ImageRecord& record : unstored) last = std::max(last, record.row.staging_id);
  std::map<uint64_t, StagingRow> rows;  // recovered in the order of their ids
  TRY(journal->for_each_staging([&](uint64_t id, StagingRow row) { rows.emplace(id, std::move(row)); }));
  ASSIGN_OR_RETURN(std::vector<std::string> names, list_directory(layout.staging()));
  for (const std::string& name : names) {
    std::optional<uint64_t> id = parse_number(name);
    if (!id) continue;
    last = std::max(last, *id);
    if (!rows.contains(*id)) TRY(io::remove_file(layout.staging(*id)));
  }
  for (auto& [id, row] : rows) {
    last = std::max(last, id);
    if (row.sealed) {
      MutexLock lock(recovered_mutex);
      recovered.push_back({nullptr, std::move(row.record), id, std::make_shared<Manifest>(std::move(*row.sealed)),
                           std::move(row.handover)});
      continue;
    }
    const std::string path = layout.staging(id);
    auto fd = io::open_file(path, O_RDWR);
    if (!fd && fd.error().code != Code::kNotFound) return Failure(fd.error());
    if (!fd) {
      if (!row.record.empty()) log::warning("staging file {} did not survive the power loss; it was never synced", id);
      TRY(journal->erase_staging(id));
      continue;
    }
    std::unique_ptr<Staging> staging(new Staging(*cache, id, path, std::move(*fd)));
    staging->record_ = row.record;
    staging->handover_ = row.handover;
    // Until somebody takes it, it is left as it is.
    staging->keep();
    MutexLock lock(recovered_mutex);
    recovered.push_back({std::move(staging), std::move(row.record), id, nullptr, std::move(row.handover)});
  }
  next_staging_id = last + 1;
  return {};
}

}  // namespace weir::cache
