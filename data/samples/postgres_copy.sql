--
-- PostgreSQL database dump
--

\restrict i6BOR2AbihZ0VChqW072glggL9AfSzjJEg7htCwdpYAqVDe461umzbUetft9k3T

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

COPY public.posts (id, title, body, score, created, attachment) FROM stdin;
1	First frost on the weir	The posts wore white caps this morning, and a line of mist stood exactly as high as the sluice gate. I measured minus three at the gauge; the miller's book has minus four for the same day in 1902. Two goosanders below the bridge, both asleep, turning slowly like boats at anchor.	15	2020-11-06 07:10:00	\N
2	Counting swifts	Lie on your back, choose a quarter of the sky, and count only that. Four people make a whole sky. We had sixty-one on Tuesday, shrieking round the chapel in a pack, and fifty-eight on Wednesday; on Thursday there were none, and the evening was so quiet that people came out to ask.	62	2020-08-05 21:15:00	\N
3	Tab\tin the title	Columns in the field notebook are parted by tabs, since commas turn up in everything:\n\tspecies\tnumber\tweather\n\twigeon\t40\tsleet, then worse\nIf you copy them into a letter they'll dance about. Use the printed form for letters, and keep the notebook for the rain.	4	2020-01-12 16:00:00	\\x00090a0d5c5c
4	Backslash N	The survey sheet has \\N where a value is missing, a habit of the computer's, and one of our volunteers took it for a new kind of north. He walked along it for an hour. We've since added a line to the instructions: \\N means nobody looked; \\. means the page ends here.	77	2020-02-20 11:45:30	\\x5c4e
5	\N	An otter. I've no heading for it. It came up beside the boat with an eel crosswise in its mouth, looked at me for as long as it takes to read this line, and went down without a ring on the water. Everything I meant to note about the current that day has left me.	120	2020-03-03 06:30:00	\N
6	Sheet left blank	\N	\N	2020-03-04 00:00:00	\N
7	Rain gauge rules	Read it at nine, winter and summer; don't put your watch forward for it, as rain keeps no summer time. Hold it level with your eye and read the bottom of the curve. If there's a snail inside, subtract the snail. Anything under a twentieth of a millimetre is "trace".	33	2020-04-17 09:00:00	\N
8	River words	Old names, from Mr Tansley, who fished here for seventy years: a "stickle" is the quick water over stones; a "dub" is the deep pool that follows; a "lasher" is what spills over the weir; and a "sleeper" is the log you don't see. He had met, he said, every sleeper personally.	58	2020-05-09 19:20:00	\N
9	Moths at the lamp 🦋	Sheet, lamp, flask, and patience until one. Elephant hawk-moth, pink as a boiled sweet; nine heart-and-darts; a buff-tip that I twice brushed off as a broken twig 🌙. At half past twelve a bat came along the sheet as along a counter and took the best of them.	47	2020-06-14 01:05:00	\\x49492a0008
10	Ice	Clear ice bears; white ice lies. Four fingers of clear will hold a person, and a hand will hold a horse, but white ice has air in it and must be twice as thick before it's worth half as much. None of it is to be trusted near reeds, inlets or swans.	39	2020-12-28 14:00:00	\N
11	The quarter-past heron	He comes over the roofs at a quarter past seven, and if he's late I check my watch. Last week I was asked to stop calling it 'the same heron', there being no ring on its leg; fair enough. It's a heron-shaped habit, then, that has kept time for eleven years.	81	2020-09-19 07:15:00	\N
12	Flood marks	There are five cut in the wall of the inn. The highest, 1947, is level with the bar; the lowest is only a joke, made by the landlord in a dry year with a level and a straight face. I've photographed all of them with a ruler; the film's at the library, drawer 9.	26	2020-10-02 12:34:56	\N
13	Dollar signs: $1 and $$	The visitors' centre asks $1 for the leaflet, printed $$1 by mistake, and an American family paid double before we could stop them. They were kind about it; they said it was still cheaper than a sandwich. We've put the extra in the jar for the footbridge, and I've crossed out one sign with a pen.	22	2020-07-23 15:15:15	\N
14	Fog signals	Sound goes oddly in fog. From the jetty I could hear two men on the far bank discussing a carburettor, every word, while the church bell, much nearer and far louder, was only a sort of pressure. I learnt what was wrong with the carburettor; I rang them up that evening.	54	2020-11-27 08:20:00	\N
15	Nest box 14	Six eggs on the 2nd; seven on the 3rd. Hatched on the 16th, all but one. On the 21st I opened the lid to five open mouths and a wren, which had no business there at all and was feeding them. She left by the hole, I by the ladder, and neither of us explained.	93	2020-05-21 10:00:00	\N
16	End of the notebook	This book has come to its last page, with a pressed leaf (alder), a stain (cocoa), and a phone number that I can't place. Volume 32 begins tomorrow. Whoever reads these in a hundred years: the weir was noisy, the people were mostly kind, and we never did learn where the eels went.	104	2020-12-31 23:50:00	\N
\.


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.users (id, login, name, about) FROM stdin;
1	tansley	Tom Tansley	river, seventy years
2	abara	Nkechi Abara	\N
3	wren	Box 14	not a person;\nplease keep
4	pell	R. Pell	bus 7
5	heron	A. Heron	\\N
\.


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

\unrestrict i6BOR2AbihZ0VChqW072glggL9AfSzjJEg7htCwdpYAqVDe461umzbUetft9k3T

