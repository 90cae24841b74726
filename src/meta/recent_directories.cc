#include "meta/recent_directories.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/parent.h"

namespace weir::meta {

std::optional<Inode> RecentDirectories::known(InodeId directory) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(directory);
  if (found == entries_.end() || !found->second.is_known) return std::nullopt;
  Entry& entry = found->second;
  if (clock_.monotonic_ns() - entry.begun_ns >= limits::kRecentDirectoryMs * 1'000'000) return std::nullopt;
  Result<Inode> row = Inode::decode(directory, entry.inode.bytes);
  if (!row || row->link_count == 0) return std::nullopt;
  Result<Inode> folded = fold_rows(std::move(*row), entry.deltas);
  return folded ? std::optional(std::move(*folded)) : std::nullopt;
}

RecentDirectories::Ticket RecentDirectories::begin_read(InodeId directory) {
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  if (entries_.size() >= limits::kRecentDirectories)
    std::erase_if(entries_, [](const auto& each) { return each.second.changes == 0; });
  Entry& entry = entries_[directory];
  if (entry.changes > 0) return 0;
  entry.reading_ns = now_ns;
  return entry.reading = ++last_ticket_;
}

void RecentDirectories::learned(InodeId directory, Ticket ticket, const kv::Value& inode,
                                const std::vector<kv::KeyValue>& deltas) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(directory);
  if (ticket == 0 || found == entries_.end() || found->second.reading != ticket) return;
  Entry& entry = found->second;
  entry.reading = 0;
  entry.is_known = true;
  entry.begun_ns = entry.reading_ns;
  entry.inode = inode;
  entry.deltas = deltas;
}

RecentDirectories::Changed RecentDirectories::changed_by(const kv::WriteSet& writes) {
  Changed changed;
  for (const auto& [key, bytes] : writes.writes()) {
    InodeId id;
    if (key[0] == keys::kInode) {
      auto inode = keys::parse_number(key);
      if (!inode) continue;
      id = InodeId{*inode};
    } else if (key[0] == keys::kDelta) {
      auto delta = keys::parse_delta(key);
      if (!delta) continue;
      id = delta->directory;
    } else {
      continue;
    }
    if (std::find(changed.begin(), changed.end(), id) == changed.end()) changed.push_back(id);
  }
  return changed;
}

void RecentDirectories::begin_change(const Changed& changed) {
  MutexLock lock(mutex_);
  for (InodeId id : changed) {
    Entry& entry = entries_[id];
    ++entry.changes;
    entry.reading = 0;
  }
}

void RecentDirectories::committed(const Changed& changed, const kv::WriteSet& writes, kv::Version version) {
  MutexLock lock(mutex_);
  for (InodeId id : changed) {
    Entry& entry = entries_[id];
    if (entry.is_known) apply(entry, id, writes, version);
    end_change(id, entry);
  }
}

void RecentDirectories::not_committed(const Changed& changed) {
  MutexLock lock(mutex_);
  for (InodeId id : changed) {
    Entry& entry = entries_[id];
    entry.is_known = false;
    end_change(id, entry);
  }
}

void RecentDirectories::forget_all() {
  MutexLock lock(mutex_);
  std::erase_if(entries_, [](const auto& each) { return each.second.changes == 0; });
  for (auto& [id, entry] : entries_) entry.is_known = false;
}

/// Versions of one row grow, so of two commits whose threads come here the other way round the later one stays.
void RecentDirectories::apply(Entry& entry, InodeId directory, const kv::WriteSet& writes, kv::Version version) {
  const auto& all = writes.writes();
  if (const auto inode = all.find(keys::inode(directory)); inode != all.end()) {
    if (!inode->second) {
      entry.is_known = false;
    } else if (version > entry.inode.version) {
      entry.inode = {*inode->second, version};
    }
  }
  const kv::KeyRange range = keys::deltas_of(directory);
  for (auto row = all.lower_bound(range.begin); row != all.end() && row->first < range.end; ++row) {
    const auto same = [&](const kv::KeyValue& each) { return each.key == row->first; };
    const auto known = std::find_if(entry.deltas.begin(), entry.deltas.end(), same);
    if (!row->second) {
      // Nothing tells a row that was erased from one that was made anew.
      entry.is_known = false;
    } else if (known == entry.deltas.end()) {
      entry.deltas.push_back({row->first, *row->second, version});
    } else if (version > known->version) {
      *known = {row->first, *row->second, version};
    }
  }
}

void RecentDirectories::end_change(InodeId directory, Entry& entry) {
  if (--entry.changes == 0 && !entry.is_known) entries_.erase(directory);
}

}  // namespace weir::meta
