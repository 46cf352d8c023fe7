// SPDX-License-Identifier: Apache-2.0
/// @file
/// Gzip streams: unpacked to their last check sum, and packed in one go or piece by piece.
#ifndef COMODAL_DATA_GZIP_HPP
#define COMODAL_DATA_GZIP_HPP

#include <comodal/core/error.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The bytes of a file or a message.
using byte_buffer = std::vector<unsigned char>;

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

/// Packs bytes piece by piece into one gzip stream without name and time, so that equal bytes give equal streams.
class gzip_stream {
 public:
  /// @param level zlib's, 1 (fast) to 9 (small) @throws io_error if zlib cannot start
  explicit gzip_stream(int level = 4) {
    if (deflateInit2(&m_z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw io_error("gzip: zlib cannot start");
  }
  ~gzip_stream() { deflateEnd(&m_z); }
  gzip_stream(const gzip_stream&) = delete;
  gzip_stream& operator=(const gzip_stream&) = delete;

  /// Packs more bytes. @param take gets what is packed, `take(std::span<const unsigned char>)`, some at a time
  template <class Take>
  void add(std::span<const unsigned char> bytes, const Take& take) {
    pack(bytes, Z_NO_FLUSH, take);
  }
  /// Ends the stream. @param take gets its last bytes
  template <class Take>
  void finish(const Take& take) {
    pack({}, Z_FINISH, take);
  }

 private:
  static constexpr std::size_t piece = std::size_t{1} << 20;

  template <class Take>
  void pack(std::span<const unsigned char> bytes, int flush, const Take& take) {
    std::size_t in = 0;
    for (bool more = true; more;) {
      const std::size_t now = std::min(piece, bytes.size() - in);
      m_z.next_in = const_cast<unsigned char*>(bytes.data()) + in;
      m_z.avail_in = static_cast<uInt>(now);
      m_z.next_out = m_out.data();
      m_z.avail_out = static_cast<uInt>(m_out.size());
      const int state = deflate(&m_z, flush);
      in += now - m_z.avail_in;
      take(std::span<const unsigned char>(m_out.data(), m_out.size() - m_z.avail_out));
      more = flush == Z_FINISH ? state != Z_STREAM_END : in < bytes.size() || m_z.avail_out == 0;
    }
  }

  z_stream m_z{};
  byte_buffer m_out = byte_buffer(piece);
};

/// The bytes as one gzip stream. @param level zlib's, 1 (fast) to 9 (small)
[[nodiscard]] inline byte_buffer gzip(std::span<const unsigned char> bytes, int level = 4) {
  byte_buffer out;
  const auto take = [&](std::span<const unsigned char> packed) { out.insert(out.end(), packed.begin(), packed.end()); };
  gzip_stream stream(level);
  stream.add(bytes, take);
  stream.finish(take);
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
