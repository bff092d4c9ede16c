--
-- PostgreSQL database dump
--

\restrict rQsHSSo0xrfljxKiDvyu9LuzJY6l4Xchb4CVGAKbcpm60UVZUS1kmYSfYbYusfy

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: posts; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.posts (
    id integer NOT NULL,
    title text,
    body text,
    score integer,
    created timestamp without time zone NOT NULL,
    attachment bytea
);


ALTER TABLE public.posts OWNER TO postgres;

--
-- Name: posts_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.posts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.posts_id_seq OWNER TO postgres;

--
-- Name: posts_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.posts_id_seq OWNED BY public.posts.id;


--
-- Name: users; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.users (
    id integer NOT NULL,
    login text NOT NULL,
    name text,
    about text
);


ALTER TABLE public.users OWNER TO postgres;

--
-- Name: posts id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.posts ALTER COLUMN id SET DEFAULT nextval('public.posts_id_seq'::regclass);


--
-- Data for Name: posts; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.posts VALUES (1, 'Barley broth, for a wet day', 'Put a cup of pearl barley in a deep pot with a lamb bone, two carrots, an onion stuck with a clove, and three pints of water. It needs two hours and no attention. Take the bone out, pick it, put the meat back; salt at the end. It''s better tomorrow.', 28, '2019-01-10 18:00:00', NULL);
INSERT INTO public.posts VALUES (2, 'Marmalade: the set', 'Everyone asks about the set. Put a saucer in the freezer; drop a little on it; push with a finger. If it wrinkles, stop. If it runs, boil it for five minutes more, and don''t read the paper meanwhile. Mine went past setting and became, so my daughter says, ''a building material''.', 51, '2019-01-27 14:20:00', NULL);
INSERT INTO public.posts VALUES (3, 'O''Hara''s soda bread', 'Pat O''Hara gave me this across the fence: four handfuls of flour, a level spoon of soda, a pinch of salt, and buttermilk until it''s as wet as you can bear. Don''t knead it; don''t even think about it. A deep cross on the top, "to let the fairies out", and forty minutes.', 46, '2019-03-17 12:00:00', NULL);
INSERT INTO public.posts VALUES (4, NULL, 'Somebody keeps asking for the dumplings, so here they are without a title: suet, twice as much flour, parsley, and cold water by the spoonful. Roll them the size of a walnut. They go in for the last twenty minutes, with the lid on; whoever lifts the lid washes up.', 19, '2019-02-08 17:45:00', NULL);
INSERT INTO public.posts VALUES (5, 'Recipe to follow', NULL, NULL, '2019-02-09 09:00:00', NULL);
INSERT INTO public.posts VALUES (6, 'Rhubarb and the north wall', 'It was planted on the north wall because nothing else would grow there, and each March it comes up pink under its bucket, a month before anyone has a right to it. Stew it with orange peel and hardly any water. Don''t use an aluminium pan, or you''ll have a very clean pan.', 35, '2019-03-30 16:16:00', '\xdeadbeef');
INSERT INTO public.posts VALUES (7, 'Omelette', 'Three eggs, forty strokes, butter that has stopped singing. Pour, shake, tilt, fold; the whole affair takes less time than reading this aloud. If you''ve put cheese, ham, peppers and last night''s potatoes into it, it may well be good, but you''ve made a pie.', 64, '2019-04-14 08:30:00', NULL);
INSERT INTO public.posts VALUES (8, 'A backslash in the kitchen: 1\2 cup', 'My aunt typed her recipes on a machine whose slash leaned the wrong way, so we have 1\2 a cup of this and 3\4 of that. One card says 1\n, where the key stuck. We''ve tried it with one nutmeg and with none; with one is right, we think.', 42, '2019-05-05 11:00:00', '\x5c5c2700');
INSERT INTO public.posts VALUES (9, 'Pickled walnuts', 'Pick them before the longest day, while a darning needle still goes through. Prick each one, wear gloves, and soak them nine days in brine; then lay them in the sun till they turn as black as boots.

Vinegar, mace, ginger, peppercorns. Wait until Christmas. Wear gloves; I mention it twice.', 37, '2019-06-19 10:10:00', NULL);
INSERT INTO public.posts VALUES (10, 'Jam sponge 🍰 (school fete)', 'Weigh the eggs in their shells; take the same of butter, of sugar, of flour. That''s all there is to know 🍰. Beat the first two until your arm complains. Raspberry jam, no cream: it stands in the heat from ten till four, and last year''s cream made a bid for freedom.', 59, '2019-07-06 07:00:00', '\xffd8ffe0');
INSERT INTO public.posts VALUES (11, 'Fish on Fridays', 'The van comes to the square at ten. Ask for whatever the man himself is taking home: he''ll say gurnard, and nobody else wants it, for it looks like an argument. Bake it whole on sliced potatoes and fennel; the potatoes are the reason for the dish, the fish is the excuse.', 48, '2019-08-23 10:40:00', NULL);
INSERT INTO public.posts VALUES (12, 'Elderberry cordial; a stain', 'Strip the berries with a fork, simmer them for a quarter of an hour, strain through an old pillowcase; then sugar, lemon, and a few cloves. It''s good for colds, or for waiting until they''ve passed. The pillowcase is purple for ever; the ceiling, since you ask, can be painted.', 32, '2019-09-12 19:30:00', NULL);
INSERT INTO public.posts VALUES (13, 'E''scaped? E''\'''' no', 'Our printer adds marks of its own: the menu for the harvest supper came out with E''Soup'' and E''Pie'', as though everything had been shouted in Yorkshire. We left it. Several people ordered the E''Pie'' by that name, and the name has stuck; it''s mutton, turnip, and a lot of pepper.', 83, '2019-09-28 20:00:00', NULL);
INSERT INTO public.posts VALUES (14, 'Chestnuts', 'Score them, always, on the flat side. The one you forget is the one that will go off, at head height, just as the vicar bends to admire the fire. A tin with holes in it, a slow shake, twenty minutes; wrap them in a towel till you can''t wait, then wait.', 45, '2019-11-10 17:00:00', NULL);
INSERT INTO public.posts VALUES (15, 'Christmas pudding, argued over', 'Grandfather''s had carrot in it and grandmother''s hadn''t, and for fifty years they made one each, and each ate only the other''s. Breadcrumbs, suet, raisins, dark sugar, stout, spice. Six hours the first time; two on the day. I put in half a carrot and say nothing to anyone.', 97, '2019-11-24 15:00:00', NULL);
INSERT INTO public.posts VALUES (16, 'Leftovers', 'Cold goose, cold sprouts, half a jar of red cabbage, and the crusts nobody would own. Chop all of it, fry it hard in the goose fat until the bottom''s brown, turn it, fry it again; an egg on top. We look forward to it more than to the dinner. Don''t tell the goose.', 70, '2019-12-27 13:00:00', NULL);


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.users VALUES (1, 'ohara', 'Pat O''Hara', 'bread');
INSERT INTO public.users VALUES (2, 'finch', 'Ada Finch', NULL);
INSERT INTO public.users VALUES (3, 'helene', 'Hélène Roux', 'plums; "ça se corrige"');
INSERT INTO public.users VALUES (4, 'vicar', 'The Vicar', 'beware of chestnuts');


--
-- Name: posts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.posts_id_seq', 1, false);


--
-- Name: posts posts_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_pkey PRIMARY KEY (id);


--
-- Name: users users_login_key; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_login_key UNIQUE (login);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- PostgreSQL database dump complete
--

\unrestrict rQsHSSo0xrfljxKiDvyu9LuzJY6l4Xchb4CVGAKbcpm60UVZUS1kmYSfYbYusfy

