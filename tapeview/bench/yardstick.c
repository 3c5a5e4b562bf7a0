/* Yardsticks for the engine: the same work as plain C loops over the same 64-byte events.
 *
 * levels_only: a window of levels with a bitmap, best prices after every event.
 * levels_full: that, depth and wall about the touch, tape with merging, volume at price, meters, VWAP sums,
 *              second and minute bars, and one 200-byte row of facts an event.
 * orders_only: an open-addressing map of orders feeding the levels. orders_full: that and everything above.
 * No growth, no price off the grid or outside the window, no gaps, no phases: less than the engine does.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t i8;
typedef struct { i8 recv, exch, seq, tick, lots, ref, aux; uint32_t inst; uint8_t kind; int8_t side; uint16_t marks; } event;
typedef struct {
    i8 seq, recv, tick, lots, was, now, from, bid, ask, bid_lots, ask_lots, bid_depth, ask_depth, bid_wall, ask_wall, volume, delta,
        vwap, sigma, order_was, executed, refill;
    uint32_t epoch, bid_orders, ask_orders;
    uint8_t bid_away, ask_away; uint16_t marks;
    uint8_t kind; int8_t side; uint8_t state, warm, place; int8_t lean; uint8_t print, spare;
} fact;
typedef struct { i8 seq, last, recv, exch, tick, fine, lots, fine_lots, ref; uint32_t count; int8_t side; uint8_t place, kind; int8_t lean; uint32_t marks, flow; } print_row;
typedef struct { i8 recv, tick, lots, side; } flow_row;
typedef struct { i8 start, open, high, low, close, volume, delta, cvd; double vwap, sigma; i8 trades, gap; } bar;
typedef struct { i8 id, key, lots, stamp, executed; int side; } order;

#define W 65536
#define M (W - 1)
#define DEPTH 10
#define ORDERS 32768
#define NOKEY (-((i8)1 << 62) - 1)
#define RING 65536
#define FLOW 1048576

typedef struct {
    i8 best[2], best_lots[2], depth[2], wall[2], wall_key[2], n[2];
    i8 volume, buy, sell, trades, high, low, close, weight, base, s1, prints, rings, merges, now, page_tick, last_book, median, updates;
    __int128 s2;
    double vwap, sigma; i8 vwap16, sigma16, lean, stamp;
    i8 head[3], mbuy[3], msell[3], mprints[3], bar_end[2], bars_n[2];
    uint64_t words[2][W / 64], groups[2][16];
    i8 lots[2][W]; int32_t counts[2][W];
    i8 pbuy[W], psell[W];
    order orders[ORDERS];
    print_row ring[RING], merged[16384];
    flow_row flow[FLOW];
    bar bars[2][8192];
} book;

book *yardstick_new(void) { book *s = calloc(1, sizeof(book)); s->best[0] = s->best[1] = s->wall_key[0] = s->wall_key[1] = NOKEY; s->median = -1; return s; }
void yardstick_free(book *s) { free(s); }
i8 yardstick_check(book *s) { return s->best[0] * 3 - s->best[1] * 5 + s->best_lots[0] * 7 + s->best_lots[1] * 11 + s->volume * 13 + s->depth[0] + s->depth[1]; }

static inline i8 below(book *s, int b, i8 key) {
    if (!s->n[b]) return NOKEY;
    int cell = key & M, at = cell >> 6;
    uint64_t w = s->words[b][at] & (((uint64_t)1 << (cell & 63)) - 1);
    if (!w) {
        int g = at >> 6;
        w = s->groups[b][g] & (((uint64_t)1 << (at & 63)) - 1);
        while (!w) { g = (g - 1) & 15; w = s->groups[b][g]; }
        at = (g << 6) | (63 - __builtin_clzll(w));
        w = s->words[b][at];
    }
    int found = (at << 6) | (63 - __builtin_clzll(w));
    return key - ((cell - found) & M);
}

static inline void survey(book *s, int b) {
    i8 total = 0, wall = 0, best = s->best[b]; int at = 0;
    for (int k = 0; k < DEPTH; k++) { i8 lots = s->lots[b][(best - k) & M]; total += lots; at = lots > wall ? k : at; wall = lots > wall ? lots : wall; }
    s->depth[b] = total; s->wall[b] = wall; s->wall_key[b] = best - at;
}

static inline i8 put(book *s, int b, i8 key, i8 lots, int32_t count, int full) {
    int cell = key & M, at = cell >> 6;
    i8 was = s->lots[b][cell];
    s->lots[b][cell] = lots; s->counts[b][cell] = count;
    if (!was != !lots) {
        if (lots) { if (!s->words[b][at]) s->groups[b][at >> 6] |= (uint64_t)1 << (at & 63); s->words[b][at] |= (uint64_t)1 << (cell & 63); s->n[b]++; }
        else { s->words[b][at] &= ~((uint64_t)1 << (cell & 63)); if (!s->words[b][at]) s->groups[b][at >> 6] &= ~((uint64_t)1 << (at & 63)); s->n[b]--; }
    }
    i8 best = s->best[b];
    if (key >= best) { if (lots) best = key; else if (key == best) best = below(s, b, key); }
    if (best != s->best[b]) { s->best[b] = best; s->best_lots[b] = s->lots[b][best & M]; if (full) survey(s, b); }
    else {
        if (best == key) s->best_lots[b] = lots;
        if (full && best - key < DEPTH) {
            s->depth[b] += lots - was;
            if (lots > s->wall[b] || (lots == s->wall[b] && key > s->wall_key[b])) { s->wall[b] = lots; s->wall_key[b] = key; }
            else if (key == s->wall_key[b] && lots < was) survey(s, b);
        }
    }
    return was;
}

static inline int place_of(book *s, i8 tick, int side) {
    i8 bid = s->best[0], ask = -s->best[1];
    if (tick > bid) return tick > ask ? 5 : tick == ask ? 4 : 3;
    if (tick < ask) return tick < bid ? 1 : 2;
    return side > 0 ? 4 : 2;
}

static int trade(book *s, const event *e) {
    i8 tick = e->tick, lots = e->lots; int side = e->side;
    i8 now = s->now;
    for (int n = 0; n < 3; n++) {
        i8 edge = now - (n == 0 ? 5 : n == 1 ? 15 : 60) * (i8)1000000000, head = s->head[n];
        while (head < s->prints && s->flow[head & (FLOW - 1)].recv <= edge) {
            flow_row *f = &s->flow[head & (FLOW - 1)];
            s->mprints[n]--; if (f->side > 0) s->mbuy[n] -= f->lots; else s->msell[n] -= f->lots;
            head++;
        }
        s->head[n] = head;
    }
    print_row *r = &s->ring[s->rings & (RING - 1)];
    r->seq = r->last = e->seq; r->recv = e->recv; r->exch = e->exch; r->tick = tick; r->fine = r->fine_lots = INT64_MIN; r->lots = lots;
    r->ref = e->ref; r->count = 1; r->side = side; r->kind = 0; r->marks = 0; r->flow = (uint32_t)s->prints;
    r->place = place_of(s, tick, side);
    if (s->prints) {
        s->lean = tick > s->close ? 1 : tick < s->close ? -1 : s->lean;
        if (tick > s->high) { s->high = tick; r->marks |= 1; }
        if (tick < s->low) { s->low = tick; r->marks |= 2; }
    } else { s->high = s->low = s->base = tick; }
    s->close = tick;
    i8 away = tick - s->base;
    s->weight += lots; s->s1 += lots * away; s->s2 += (__int128)lots * away * away;
    flow_row *f = &s->flow[s->prints & (FLOW - 1)];
    f->recv = e->recv; f->tick = tick; f->lots = lots; f->side = side;
    s->prints++; s->trades++; s->volume += lots;
    if (side > 0) { s->buy += lots; s->pbuy[tick & M] += lots; } else { s->sell += lots; s->psell[tick & M] += lots; }
    for (int n = 0; n < 3; n++) { s->mprints[n]++; if (side > 0) s->mbuy[n] += lots; else s->msell[n] += lots; }
    double mean = (double)s->s1 / s->weight, square = (double)s->s2 / s->weight, variance = square - mean * mean;
    s->vwap = s->base + mean; s->sigma = variance > 0 ? sqrt(variance) : 0;
    s->vwap16 = s->base * 65536 + (i8)floor(mean * 65536 + .5); s->sigma16 = (i8)floor(s->sigma * 65536 + .5);
    for (int k = 0; k < 2; k++) {
        if (now >= s->bar_end[k]) {
            i8 length = k ? 60000000000 : 1000000000, start = now - now % length;
            s->bar_end[k] = start + length;
            bar *fresh = &s->bars[k][s->bars_n[k]++ & 8191];
            memset(fresh, 0, sizeof *fresh); fresh->start = start; fresh->open = fresh->high = fresh->low = tick;
        }
        bar *x = &s->bars[k][(s->bars_n[k] - 1) & 8191];
        x->high = tick > x->high ? tick : x->high; x->low = tick < x->low ? tick : x->low; x->close = tick;
        x->volume += lots; x->delta += side * lots; x->trades++; x->cvd = s->buy - s->sell; x->vwap = s->vwap; x->sigma = s->sigma;
    }
    r->lean = s->lean;
    print_row *m = &s->merged[(s->merges - 1) & 16383];
    if (s->merges && m->side == side && m->tick == tick && e->recv - m->recv <= 100000000) { m->last = e->seq; m->lots += lots; m->count++; m->marks |= r->marks; }
    else s->merged[s->merges++ & 16383] = *r;
    s->rings++;
    return r->place;
}

static inline void told(book *s, const event *e) {
    i8 gap = e->recv - s->last_book;
    if (s->median < 0) s->median = gap; else if (gap > s->median) s->median += (s->median >> 5) + 1; else if (gap < s->median) s->median -= (s->median >> 5) + 1;
    s->last_book = e->recv; s->updates++;
}

static inline void write_row(book *s, const event *e, fact *f, i8 was, i8 tick, i8 lots, int side, i8 order_was, i8 executed, int place) {
    f->seq = e->seq; f->recv = e->recv; f->tick = tick; f->lots = lots; f->was = was; f->now = lots; f->from = INT64_MIN;
    f->bid = s->best[0]; f->ask = -s->best[1]; f->bid_lots = s->best_lots[0]; f->ask_lots = s->best_lots[1];
    f->bid_depth = s->depth[0]; f->ask_depth = s->depth[1]; f->bid_wall = s->wall[0]; f->ask_wall = s->wall[1];
    f->volume = s->volume; f->delta = s->buy - s->sell; f->vwap = s->vwap16; f->sigma = s->sigma16;
    f->order_was = order_was; f->executed = executed; f->refill = 0;
    f->epoch = 0; f->bid_orders = f->ask_orders = 0; f->bid_away = s->best[0] - s->wall_key[0]; f->ask_away = s->best[1] - s->wall_key[1];
    f->marks = e->marks; f->kind = e->kind; f->side = side; f->state = s->best[0] + s->best[1] >= 0 ? 3 : 1; f->warm = s->updates > 3;
    f->place = place; f->lean = s->lean; f->print = e->kind == 6 ? 0 : 255; f->spare = 0;
}

i8 levels_only(book *s, const event *e, i8 n) {
    i8 sum = 0;
    for (i8 i = 0; i < n; i++, e++) {
        if (e->kind == 1) { int b = e->side < 0; put(s, b, e->tick * e->side, e->lots, (int32_t)e->aux, 0); }
        sum += s->best[0] + s->best_lots[0] - s->best[1] + s->best_lots[1];
    }
    return sum;
}

void levels_full(book *s, const event *e, i8 n, fact *f) {
    for (i8 i = 0; i < n; i++, e++, f++) {
        i8 was = 0; int place = 0;
        if (e->recv > s->now) s->now = e->recv;
        if (e->kind == 1) { int b = e->side < 0; was = put(s, b, e->tick * e->side, e->lots, (int32_t)e->aux, 1); told(s, e); }
        else if (e->kind == 6) { int b = e->side > 0; was = s->lots[b][(-e->side * e->tick) & M]; place = trade(s, e); }
        write_row(s, e, f, was, e->tick, e->lots, e->side, 0, 0, place);
    }
}

static inline int slot_of(book *s, i8 id) {
    int at = ((((id ^ (id >> 32)) & 0x7FFFFFFF) * 0x5BD1E995) >> 15) & (ORDERS - 1);
    while (s->orders[at].stamp && s->orders[at].id != id) at = (at + 1) & (ORDERS - 1);
    return at;
}

static void drop(book *s, int hole) {
    int probe = (hole + 1) & (ORDERS - 1);
    while (s->orders[probe].stamp) {
        i8 id = s->orders[probe].id;
        int home = ((((id ^ (id >> 32)) & 0x7FFFFFFF) * 0x5BD1E995) >> 15) & (ORDERS - 1);
        if (((probe - home) & (ORDERS - 1)) >= ((probe - hole) & (ORDERS - 1))) { s->orders[hole] = s->orders[probe]; hole = probe; }
        probe = (probe + 1) & (ORDERS - 1);
    }
    s->orders[hole].stamp = 0;
}

static inline i8 shift(book *s, int b, i8 key, i8 lots, int count, int full) {
    int cell = key & M;
    return put(s, b, key, s->lots[b][cell] + lots, s->counts[b][cell] + count, full);
}

static inline void orders_loop(book *s, const event *e, i8 n, fact *f, int full, i8 *sum) {
    for (i8 i = 0; i < n; i++, e++) {
        i8 was = 0, tick = e->tick, lots = e->lots, order_was = 0, executed = 0; int side = e->side, place = 0;
        if (e->recv > s->now) s->now = e->recv;
        if (e->kind == 2) {
            order *o = &s->orders[slot_of(s, e->ref)]; int b = e->side < 0;
            o->id = e->ref; o->key = e->tick * e->side; o->lots = e->lots; o->stamp = ++s->stamp; o->side = b; o->executed = 0;
            was = shift(s, b, o->key, e->lots, 1, full);
        } else if (e->kind >= 3 && e->kind <= 5) {
            int at = slot_of(s, e->ref); order *o = &s->orders[at];
            if (o->stamp) {
                order_was = o->lots; side = o->side ? -1 : 1; tick = o->key * side;
                if (e->kind == 3) {
                    i8 key = e->tick * e->side;
                    if (key == o->key) { if (e->lots > o->lots) o->stamp = ++s->stamp; was = shift(s, o->side, key, e->lots - o->lots, 0, full); o->lots = e->lots; }
                    else { i8 had = o->key; o->key = key; o->stamp = ++s->stamp; shift(s, o->side, had, -o->lots, -1, full); was = shift(s, o->side, key, e->lots, 1, full); o->lots = e->lots; }
                } else {
                    if (e->kind == 4 && (!lots || lots > o->lots)) lots = o->lots;
                    if (e->kind == 5) executed = o->executed += lots;
                    if (lots < o->lots) { o->lots -= lots; was = shift(s, o->side, o->key, -lots, 0, full); }
                    else { was = shift(s, o->side, o->key, -o->lots, -1, full); drop(s, at); }
                }
            }
        } else if (full && e->kind == 6) { int b = e->side > 0; was = s->lots[b][(-e->side * e->tick) & M]; place = trade(s, e); }
        if (full) { if (e->kind < 6) told(s, e); write_row(s, e, f++, was, tick, lots, side, order_was, executed, place); }
        else *sum += s->best[0] + s->best_lots[0] - s->best[1] + s->best_lots[1];
    }
}

i8 orders_only(book *s, const event *e, i8 n) { i8 sum = 0; orders_loop(s, e, n, 0, 0, &sum); return sum; }
void orders_full(book *s, const event *e, i8 n, fact *f) { i8 sum = 0; orders_loop(s, e, n, f, 1, &sum); }
