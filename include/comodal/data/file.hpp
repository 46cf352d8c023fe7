// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whole files: gzip streams read to their last check sum, and writes that never leave half a file behind.
#ifndef COMODAL_DATA_FILE_HPP
#define COMODAL_DATA_FILE_HPP

#include <comodal/core/error.hpp>
#include <comodal/data/folder.hpp>

#include <zlib.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The bytes of a file or a message.
using byte_buffer = std::vector<unsigned char>;

/// Says in words why a path is no file that can be read: missing, a link to nothing, a folder, a pipe.
/// @throws io_error unless it is a regular file, or a link to one; a pipe is never opened
inline void expect_regular_file(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code failure;
  const auto kind = fs::status(path, failure).type();
  if (kind == fs::file_type::regular) return;
  std::error_code unknown;
  if (kind == fs::file_type::not_found && fs::is_symlink(path, unknown))
    throw io_error(text(path.string(), ": is a link to ", fs::read_symlink(path, unknown).string(),
                        ", which does not exist; fetch its content (git annex, DataLad), or copy the file here"));
  if (kind == fs::file_type::not_found) throw io_error(text(path.string(), ": there is no such file"));
  if (kind == fs::file_type::directory) throw io_error(text(path.string(), ": is a folder, expected a file"));
  if (kind == fs::file_type::none || kind == fs::file_type::unknown)
    throw io_error(text(path.string(), ": cannot be opened (", failure.message(), ")"));
  throw io_error(text(path.string(), ": is a pipe, a socket or a device, expected a file"));
}

/// Reads a file as it is. @throws io_error if it is missing, no regular file or unreadable
[[nodiscard]] byte_buffer read_file(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer read_file(const std::filesystem::path& path) {
  expect_regular_file(path);
  std::error_code failure;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw io_error(text(path.string(), ": cannot be opened (", std::strerror(errno), ")"));
  const auto size = std::filesystem::file_size(path, failure);
  byte_buffer bytes(failure ? 0 : static_cast<std::size_t>(size));
  const std::size_t got = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (failure || got != bytes.size())
    throw io_error(text(path.string(), ": cannot be read to its end (", got, " bytes came)"));
  return bytes;
}
#endif

/// True if the bytes begin like a gzip stream.
[[nodiscard]] inline bool is_gzip(std::span<const unsigned char> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/// Unpacks a whole gzip stream, all its members, and verifies check sum and length of each (RFC 1952).
/// @param name names the stream in messages
/// @param most bytes that are expected: of a stream with more, the first `most` + 1 are returned, and nothing is
/// verified
/// @throws io_error if the stream ends early, is damaged, or is followed by something else
[[nodiscard]] byte_buffer gunzip(std::span<const unsigned char> packed, const std::string& name,
                                 std::size_t most = std::numeric_limits<std::size_t>::max());
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer gunzip(std::span<const unsigned char> packed, const std::string& name, std::size_t most) {
  const auto damaged = [&](const std::string& how) {
    return io_error(text(name, ": damaged gzip file, ", how, "; copy or download it again"));
  };
  if (packed.size() < 18) throw damaged(text("only ", packed.size(), " bytes long"));
  z_stream z{};
  if (inflateInit2(&z, 15 + 16) != Z_OK) throw io_error(text(name, ": zlib cannot start"));
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, &inflateEnd);

  constexpr std::size_t at_once = std::numeric_limits<uInt>::max();
  const unsigned char* tail = packed.data() + packed.size() - 4;
  const std::size_t claimed = tail[0] | tail[1] << 8 | tail[2] << 16 | static_cast<std::size_t>(tail[3]) << 24;
  const std::size_t end = most == std::numeric_limits<std::size_t>::max() ? most : most + 1;
  byte_buffer out(std::min(std::min(claimed, packed.size() * 1032) + 64, end));
  std::size_t in = 0, made = 0;
  for (;;) {
    if (made == out.size()) out.resize(end - made > made ? made * 2 : end);
    z.next_in = const_cast<unsigned char*>(packed.data()) + in;
    z.avail_in = static_cast<uInt>(std::min(at_once, packed.size() - in));
    z.next_out = out.data() + made;
    z.avail_out = static_cast<uInt>(std::min(at_once, out.size() - made));
    const uInt in_before = z.avail_in, out_before = z.avail_out;
    const int state = inflate(&z, Z_NO_FLUSH);
    in += in_before - z.avail_in;
    made += out_before - z.avail_out;
    if (made > most) break;
    if (state == Z_STREAM_END) {
      while (in < packed.size() && packed[in] == 0) ++in;
      if (in == packed.size()) break;
      if (!is_gzip(packed.subspan(in))) throw damaged(text(packed.size() - in, " foreign bytes follow the stream"));
      inflateReset(&z);
    } else if (state == Z_BUF_ERROR || (state == Z_OK && in == packed.size() && z.avail_out > 0)) {
      throw damaged(text("it ends early (", made, " bytes could be unpacked)"));
    } else if (state != Z_OK) {
      throw damaged(z.msg ? z.msg : "it cannot be unpacked");
    }
  }
  out.resize(made);
  return out;
}
#endif

/// The first bytes of what a gzip stream holds, at most `count`, without any check; fewer where it is damaged.
[[nodiscard]] inline byte_buffer gunzip_front(std::span<const unsigned char> packed, std::size_t count) {
  z_stream z{};
  if (inflateInit2(&z, 15 + 16) != Z_OK) return {};
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, &inflateEnd);
  byte_buffer out(count);
  z.next_in = const_cast<unsigned char*>(packed.data());
  z.avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size(), std::numeric_limits<uInt>::max()));
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(count);
  for (int state = Z_OK; state == Z_OK && z.avail_in > 0 && z.avail_out > 0;) {
    state = inflate(&z, Z_NO_FLUSH);
    if (state == Z_STREAM_END && is_gzip({z.next_in, z.avail_in})) state = inflateReset(&z);  // the next member
  }
  out.resize(count - z.avail_out);
  return out;
}

/// Packs bytes as one gzip stream without name and time, so that equal bytes give equal files.
/// @param level zlib's, 1 (fast) to 9 (small)
[[nodiscard]] inline byte_buffer gzip(std::span<const unsigned char> bytes, int level = 4) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw io_error("gzip: zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, &deflateEnd);
  constexpr std::size_t piece = std::size_t{1} << 20;
  byte_buffer out;
  std::size_t in = 0;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    const std::size_t made = out.size(), now = std::min(piece, bytes.size() - in);
    out.resize(made + piece);
    z.next_in = const_cast<unsigned char*>(bytes.data()) + in;
    z.avail_in = static_cast<uInt>(now);
    z.next_out = out.data() + made;
    z.avail_out = static_cast<uInt>(piece);
    state = deflate(&z, in + now == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    in += now - z.avail_in;
    out.resize(made + piece - z.avail_out);
  }
  return out;
}

/// Bytes of memory that this machine has; 0 if nobody can tell.
[[nodiscard]] inline double machine_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && size > 0 ? static_cast<double>(pages) * static_cast<double>(size) : 0;
}

namespace data_detail {

// Brings a renamed entry to the disk, where the file system can do that.
inline void sync_folder(const std::filesystem::path& folder) {
  const int opened = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  (void)::fsync(opened);
  ::close(opened);
}

}  // namespace data_detail

/// Where a file that is written stands: behind links, which stay what they are.
/// @throws io_error if no file can be written there: something else than a file is in its place, or the folder is
/// missing
[[nodiscard]] std::filesystem::path output_place(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE std::filesystem::path output_place(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  const auto refuse = [&](const auto&... why) { throw io_error(text(path.string(), ": cannot be written: ", why...)); };
  if (path.empty()) throw io_error("a file to write has no name; name a file");
  std::error_code failure, none;
  const auto kind = fs::status(path, failure).type();
  if (kind == fs::file_type::directory) refuse("it is a folder; name a file");
  if (kind != fs::file_type::regular && kind != fs::file_type::not_found)
    refuse(kind == fs::file_type::none ? failure.message() + "; name another place"
                                       : "it is a pipe, a socket or a device; name a file");
  fs::path place = path;
  for (int links = 0; links < 40 && fs::is_symlink(place, none); ++links) {
    const auto target = fs::read_symlink(place, none);
    place = target.is_absolute() ? target : place.parent_path() / target;
  }
  if (!place.has_filename()) refuse("its name ends in a slash; name a file");
  const auto folder = place.has_parent_path() ? place.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, none))
    refuse("there is no folder ", folder.string(), "; make it, or name another place");
  return place;
}
#endif

namespace data_detail {

// What a failed write is: a disk's fault, or a place that cannot be written.
[[noreturn]] inline void refuse_write(const std::filesystem::path& path, int reason) {
  const std::string words = text(path.string(), ": cannot be written (", std::strerror(reason), ")");
  if (reason == ENOSPC || reason == EDQUOT || reason == EIO || reason == EFBIG)
    throw disk_error(text(words, reason == EIO ? "" : "; make room"));
  throw io_error(words + "; name another place");
}

}  // namespace data_detail

/// Writes a file in one step: to a temporary file `NAME.partial-...` beside it, synced, then renamed, and the folder is
/// synced. A reader sees the old file or the new one, after a power failure too. A link is written through.
/// @throws io_error as `output_place`; disk_error if the disk refuses. The temporary file is removed
void write_file(const std::filesystem::path& path, std::span<const unsigned char> bytes);
#if COMODAL_BODIES
COMODAL_ONCE void write_file(const std::filesystem::path& path, std::span<const unsigned char> bytes) {
  static std::atomic<unsigned> number{0};
  const std::filesystem::path place = output_place(path);
  std::filesystem::path partial;
  std::FILE* file = nullptr;
  // A killed program leaves its temporary file behind, and in a container the next one may have the same process
  // number.
  for (int tries = 0; !file && (tries == 0 || (errno == EEXIST && tries < 1000)); ++tries) {
    partial = place.parent_path() / text(partial_mark(place.filename().string()), ::getpid(), "-", number++);
    file = std::fopen(partial.c_str(), "wbx");
  }
  if (!file) data_detail::refuse_write(path, errno);
  bool good = bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  good = good && std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
  int reason = good ? 0 : errno;
  if (std::fclose(file) != 0 && good) good = false, reason = errno;
  if (good && std::rename(partial.c_str(), place.c_str()) != 0) good = false, reason = errno;
  if (good) return data_detail::sync_folder(place.parent_path());
  std::remove(partial.c_str());
  data_detail::refuse_write(path, reason);
}
#endif

/// Refuses to replace a file that this program did not write.
/// @param mark words that stand in the first 4096 bytes of every file of that kind @param by what writes such files
/// @throws config_error if there is another file; io_error as `output_place`
inline void refuse_foreign_output(const std::filesystem::path& path, std::string_view mark, std::string_view by) {
  const auto place = output_place(path);
  if (std::error_code none; !std::filesystem::exists(place, none) || std::filesystem::file_size(place, none) == 0)
    return;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(place.c_str(), "rb"), &std::fclose);
  std::string front(4096, '\0');
  front.resize(file ? std::fread(front.data(), 1, front.size(), file.get()) : 0);
  if (front.find(mark) == std::string::npos)
    throw config_error(
        text(path.string(), ": is a file that `", by, "` did not write; name another, or remove it first"));
}

/// Writes text as `write_file` does. @throws as `write_file`
inline void write_text(const std::filesystem::path& path, std::string_view words) {
  write_file(path, {reinterpret_cast<const unsigned char*>(words.data()), words.size()});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
